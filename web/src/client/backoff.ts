/** Exponential backoff with full jitter: many clients that lost the same server come back spread out. */

export interface BackoffOptions {
  baseMs?: number;
  capMs?: number;
  random?: () => number;
}

export class Backoff {
  readonly #baseMs: number;
  readonly #capMs: number;
  readonly #random: () => number;
  #attempt = 0;

  constructor({ baseMs = 250, capMs = 15_000, random = Math.random }: BackoffOptions = {}) {
    this.#baseMs = baseMs;
    this.#capMs = capMs;
    this.#random = random;
  }

  get attempt(): number {
    return this.#attempt;
  }

  /** Milliseconds to wait before the next attempt; `atLeastMs` is a server's own wish. */
  next(atLeastMs = 0): number {
    // 2**30 times any base is past every cap; further doubling would only overflow.
    const ceilingMs = Math.min(this.#capMs, this.#baseMs * 2 ** Math.min(this.#attempt, 30));
    this.#attempt += 1;
    return atLeastMs + this.#random() * ceilingMs;
  }

  reset(): void {
    this.#attempt = 0;
  }
}
