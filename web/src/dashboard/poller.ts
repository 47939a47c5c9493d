/** Asks again and again, one request at a time, and ever more rarely while nobody answers. */

import { Backoff } from "../client/backoff.ts";

export interface PollerOptions<T> {
  load: (signal: AbortSignal) => Promise<T>;
  everyMs: number;
  found: (data: T) => void;
  failed: (error: unknown) => void;
  backoff?: Backoff;
}

export class Poller<T> {
  readonly #options: PollerOptions<T>;
  readonly #backoff: Backoff;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #current: AbortController | null = null;

  constructor(options: PollerOptions<T>) {
    this.#options = options;
    this.#backoff = options.backoff ?? new Backoff({ baseMs: options.everyMs, capMs: 30_000 });
  }

  /** Ask now, and keep asking; an answer that is still under way is given up. */
  start(): void {
    this.stop();
    const current = new AbortController();
    this.#current = current;
    void this.#ask(current.signal);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#current?.abort();
    this.#current = null;
  }

  async #ask(signal: AbortSignal): Promise<void> {
    const { load, everyMs, found, failed } = this.#options;
    try {
      const data = await load(signal);
      if (signal.aborted) return;
      this.#backoff.reset();
      found(data);
      this.#later(everyMs);
    } catch (error) {
      if (signal.aborted) return;
      failed(error);
      this.#later(this.#backoff.next(everyMs));
    }
  }

  #later(ms: number): void {
    this.#timer = setTimeout(() => this.start(), ms);
  }
}
