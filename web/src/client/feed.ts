/** What happens to one job, as an async iterator: its events, then its result. */

import type { JobEvent, JobResult } from "./contract.ts";
import type { ProblemError } from "./problem.ts";

export type JobFrame = JobEvent | JobResult;
type Step = IteratorResult<JobFrame, undefined>;

/** So many steps of a job wait for whoever reads them; of more, the oldest go. The result always stays. */
const MOST = 256;

export class Feed implements AsyncIterableIterator<JobFrame, undefined> {
  readonly #frames: JobFrame[] = [];
  readonly #waiting: ((step: Promise<Step>) => void)[] = [];
  readonly #left: () => void;
  #last: JobFrame | null = null;
  #over = false;
  #error: ProblemError | null = null;

  /** `left` is called once, when nothing more is wanted or to come. */
  constructor(left: () => void = () => undefined) {
    this.#left = left;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  put(frame: JobFrame): void {
    if (this.#over || (this.#last !== null && isOld(frame, this.#last))) return;
    this.#last = frame;
    if (this.#frames.length >= MOST) this.#frames.shift();
    this.#frames.push(frame);
    if (frame.op === "result") this.#end();
    this.#serve();
  }

  /** The reader gets what came before, then the error. */
  fail(error: ProblemError): void {
    if (this.#over) return;
    this.#error = error;
    this.#end();
    this.#serve();
  }

  next(): Promise<Step> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#serve();
    });
  }

  return(): Promise<Step> {
    this.#frames.length = 0;
    this.#error = null;
    this.#end();
    this.#serve();
    return Promise.resolve({ done: true, value: undefined });
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#left();
  }

  #serve(): void {
    while (this.#waiting.length > 0 && (this.#frames.length > 0 || this.#over)) {
      this.#waiting.shift()?.(this.#step());
    }
  }

  #step(): Promise<Step> {
    const frame = this.#frames.shift();
    if (frame !== undefined) return Promise.resolve({ done: false, value: frame });
    const error = this.#error;
    this.#error = null;
    return error === null ? Promise.resolve({ done: true, value: undefined }) : Promise.reject(error);
  }
}

/** After a reconnect a job's state is told again; a result is news in any case. */
function isOld(frame: JobFrame, last: JobFrame): boolean {
  return frame.op === "event" && (frame.seq < last.seq || same(frame, last));
}

function same(one: JobFrame, other: JobFrame): boolean {
  return JSON.stringify({ ...one, seq: "", at: "" }) === JSON.stringify({ ...other, seq: "", at: "" });
}
