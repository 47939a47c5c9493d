/** Requests to the API: the key in a header, problems as exceptions, patience with a server that is busy or away. */

import { Backoff } from "./backoff.ts";
import { isProblem, ProblemError, unreachable } from "./problem.ts";

export interface HttpOptions {
  /** The API's address with a trailing slash, or "" for addresses relative to the page. */
  base?: string;
  key?: () => string | null;
  /** For how long a server that is busy or away is asked again; by default not at all. */
  patienceMs?: number;
  backoff?: () => Backoff;
}

const MS = 1_000;
/** Busy or away; 502 and 504 are what a proxy says of a server that is. */
const PASSING: ReadonlySet<number> = new Set([0, 429, 502, 503, 504]);
/** A server that is too busy has done nothing; of the others the answer may have been lost. */
const TOO_BUSY = 429;

export class Transport {
  readonly base: string;
  readonly #key: () => string | null;
  readonly #patienceMs: number;
  readonly #backoff: () => Backoff;

  constructor({ base = "", key = () => null, patienceMs = 0, backoff = () => new Backoff() }: HttpOptions) {
    this.base = base;
    this.#key = key;
    this.#patienceMs = patienceMs;
    this.#backoff = backoff;
  }

  async json<T>(path: string, init: RequestInit = {}): Promise<T> {
    return (await (await this.send(path, init)).json()) as T;
  }

  /** Raises ProblemError; every request of ours may be repeated without harm. */
  async send(path: string, init: RequestInit = {}): Promise<Response> {
    const ends = Date.now() + this.#patienceMs;
    const backoff = this.#backoff();
    let lost = false;
    for (;;) {
      const answer = await this.#once(path, init);
      if (answer instanceof Response) return answer;
      answer.repeated = lost;
      lost ||= answer.problem.status !== TOO_BUSY;
      const waitMs = backoff.next((answer.problem.retry_after_s ?? 0) * MS);
      if (!PASSING.has(answer.problem.status) || Date.now() + waitMs > ends) throw answer;
      await pause(waitMs, init.signal);
    }
  }

  /** DELETE. Null when a repetition, after an answer that was lost, is told `done`: it may have gone through before. */
  end(path: string, done: string): Promise<Response | null> {
    return this.send(path, { method: "DELETE" }).catch((error: unknown) => {
      if (error instanceof ProblemError && error.repeated && error.problem.type.endsWith(done)) return null;
      throw error;
    });
  }

  async #once(path: string, init: RequestInit): Promise<Response | ProblemError> {
    const key = this.#key();
    const headers = new Headers(init.headers);
    if (key !== null) headers.set("Authorization", `Bearer ${key}`);
    const response = await fetch(`${this.base}${path}`, { ...init, headers }).catch((error: unknown) => {
      if (init.signal?.aborted) throw error;
      return null;
    });
    if (response === null) return unreachable();
    return response.ok ? response : failureOf(response);
  }
}

/** A proxy in between may answer with a page of its own instead of a problem. */
async function failureOf(response: Response): Promise<ProblemError> {
  const body: unknown = await response.json().catch(() => null);
  const wish = Number(response.headers.get("Retry-After") ?? NaN);
  const wait = Number.isFinite(wish) ? { retry_after_s: wish } : {};
  if (isProblem(body)) return new ProblemError({ ...wait, ...body, status: response.status });
  const title = response.statusText === "" ? `Status ${response.status}` : response.statusText;
  return new ProblemError({ ...wait, type: "http", title, status: response.status, retryable: response.status >= 500 });
}

/** Raises the signal's reason when it is aborted meanwhile. */
function pause(ms: number, signal?: AbortSignal | null): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    if (signal?.aborted) stop();
    signal?.addEventListener("abort", stop, { once: true });
  });
}

/** `crypto.randomUUID` is missing on pages that came over plain http. */
export function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
