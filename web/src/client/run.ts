/** One search whose steps can be followed: a promise of its result, and an async iterator of what happens. */

import type { SearchResult } from "./contract.ts";
import type { JobFrame } from "./feed.ts";
import { Feed } from "./feed.ts";
import { problemOf, ProblemError } from "./problem.ts";

interface Following {
  signal: AbortSignal;
  onFrame: (frame: JobFrame) => void;
}

interface Given {
  signal?: AbortSignal;
  onFrame?: (frame: JobFrame) => void;
}

export class Run implements AsyncIterable<JobFrame> {
  /** Raises ProblemError; nobody needs to await it. */
  readonly result: Promise<SearchResult>;
  readonly #stop = new AbortController();
  readonly #feed = new Feed();

  constructor(search: (following: Following) => Promise<SearchResult>, { signal, onFrame }: Given = {}) {
    if (signal?.aborted) this.cancel();
    signal?.addEventListener("abort", () => this.cancel(), { once: true });
    const told = (frame: JobFrame): void => {
      this.#feed.put(frame);
      onFrame?.(frame);
    };
    this.result = search({ signal: this.#stop.signal, onFrame: told });
    this.result.catch((error: unknown) => this.#feed.fail(new ProblemError(problemOf(error))));
  }

  /** Events, then the result; raises ProblemError when the search ends without one. */
  [Symbol.asyncIterator](): AsyncIterator<JobFrame, undefined> {
    return this.#feed;
  }

  /** Take the search back: its job is cancelled. */
  cancel(): void {
    this.#stop.abort();
  }
}
