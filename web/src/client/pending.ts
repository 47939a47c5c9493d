/** A search whose answer is still to come. */

import type { JobEvent, Problem, Search, SearchResult } from "./contract.ts";
import type { JobFrame } from "./feed.ts";
import { ended, ProblemError, takenBack, timedOut } from "./problem.ts";
import { randomKey } from "./transport.ts";

export interface SearchOptions {
  /** A newer search of the same slot takes the place of an older one. */
  slot?: string;
  timeoutMs?: number;
  signal?: AbortSignal;
  onEvent?: (event: JobEvent) => void;
  /** Each event, and the result's frame too. */
  onFrame?: (frame: JobFrame) => void;
}

const TIMEOUT_MS = 30_000;

export class Pending {
  readonly search: Search;
  readonly options: SearchOptions;
  /** The same each time that the search is sent: the server makes one job of it. */
  readonly key = randomKey();
  readonly result: Promise<SearchResult>;
  /** Set once the server has taken the job. */
  job: string | null = null;
  renewed = false;
  /** The welcome after which it was sent. */
  said = 0;
  askedAgain = false;
  readonly #began = Date.now();
  readonly #timer: ReturnType<typeof setTimeout>;
  readonly #abort: () => void;
  #again: ReturnType<typeof setTimeout> | undefined;
  #resolve: (result: SearchResult) => void = () => undefined;
  #reject: (error: ProblemError) => void = () => undefined;

  /** `stop` is called when the search is taken back, or when its time is up. */
  constructor(search: Search, options: SearchOptions, stop: (error: ProblemError) => void) {
    this.search = search;
    this.options = options;
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    const { signal, timeoutMs = TIMEOUT_MS } = options;
    this.#abort = () => stop(takenBack());
    this.#timer = setTimeout(() => stop(timedOut(timeoutMs)), timeoutMs);
    signal?.addEventListener("abort", this.#abort);
  }

  /** Whether it was refused, and will be sent again at its time. */
  get waits(): boolean {
    return this.#again !== undefined;
  }

  hear(frame: JobFrame): void {
    this.options.onFrame?.(frame);
    if (frame.op === "event") this.options.onEvent?.(frame);
    else if (frame.state === "succeeded" && frame.result) this.#succeed(frame.result as SearchResult);
    else this.fail(ended(frame.state, frame.error));
  }

  fail(error: ProblemError): void {
    this.#settle();
    this.#reject(error);
  }

  /** Whether a refused search is to be sent again, as the server told when; then `send` will be called. */
  sendsAgain(problem: Problem, patienceMs: number, send: () => void): boolean {
    if (problem.retry_after_s === undefined) return false;
    // Not all at the same moment: the server told everybody the same.
    const waitMs = (problem.retry_after_s + Math.random()) * 1_000;
    if (Date.now() + waitMs > this.#began + patienceMs) return false;
    clearTimeout(this.#again);
    this.#again = setTimeout(() => {
      this.#again = undefined;
      send();
    }, waitMs);
    return true;
  }

  #succeed(result: SearchResult): void {
    this.#settle();
    this.#resolve(result);
  }

  #settle(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#again);
    this.options.signal?.removeEventListener("abort", this.#abort);
  }
}
