/** Searches over one websocket: each a promise, and none lost when the connection is. */

import { Connection, NOT_ALLOWED, TOO_LARGE } from "./connection.ts";
import type { ConnectionOptions, ConnectionState } from "./connection.ts";
import type { JobEvent, JobResult, Problem, Search, SearchResult, ServerFrame } from "./contract.ts";
import { connectionClosed, localProblem, ProblemError, superseded } from "./problem.ts";

export interface SearchOptions {
  /** A newer search of the same slot takes the place of an older one. */
  slot?: string;
  timeoutMs?: number;
  signal?: AbortSignal;
  onEvent?: (event: JobEvent) => void;
}

export type JobListener = (frame: JobEvent | JobResult) => void;
export type StateListener = (state: ConnectionState) => void;

interface Pending {
  search: Search;
  options: SearchOptions;
  /** Set once the server has taken the job. */
  job: string | null;
  renewed: boolean;
  resolve: (result: SearchResult) => void;
  reject: (error: ProblemError) => void;
}

const MAX_PENDING = 64;
const TIMEOUT_MS = 30_000;

export class LiveClient {
  readonly #connection: Connection;
  readonly #pending = new Map<string, Pending>();
  readonly #watched = new Map<string, Set<JobListener>>();
  readonly #listeners = new Set<StateListener>();
  readonly #denied = new Set<() => void>();
  #count = 0;

  constructor(options: ConnectionOptions) {
    this.#connection = new Connection(options, {
      frame: (frame) => this.#receive(frame),
      welcome: ({ recovered }) => this.#resume(recovered),
      lost: (code) => this.#lost(code),
      state: (state) => this.#listeners.forEach((listener) => listener(state)),
    });
  }

  get state(): ConnectionState {
    return this.#connection.state;
  }

  get session(): string | null {
    return this.#connection.session;
  }

  /** Open the connection, or try again at once. */
  connect(): void {
    this.#connection.start();
  }

  close(): void {
    this.#connection.close();
    for (const id of this.#pending.keys()) this.#fail(id, connectionClosed());
    this.#watched.clear();
  }

  onState(listener: StateListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Called when the server turns the connection away: the key is missing or not known. */
  onDenied(listener: () => void): () => void {
    this.#denied.add(listener);
    return () => this.#denied.delete(listener);
  }

  /** Raises ProblemError; what was asked while offline goes out when the connection is back. */
  search(search: Search, options: SearchOptions = {}): Promise<SearchResult> {
    this.#supersede(options.slot);
    if (this.#pending.size >= MAX_PENDING) {
      return Promise.reject(localProblem("too-many-requests", "Too much at once", `${MAX_PENDING} searches are open.`));
    }
    if (options.signal?.aborted) return Promise.reject(takenBack());
    const { promise, resolve, reject } = deferred<SearchResult>();
    const pending: Pending = { search, options, job: null, renewed: false, resolve, reject };
    const release = this.#bound(pending);
    this.#send(pending);
    return promise.finally(release);
  }

  cancel(job: string): void {
    this.#connection.send({ op: "cancel", job });
  }

  /** Follow a job: a snapshot first, then what happens to it. */
  watch(job: string, listener: JobListener): () => void {
    const listeners = this.#watched.get(job) ?? new Set();
    this.#watched.set(job, listeners.add(listener));
    this.#connection.send({ op: "watch", job });
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0) this.#watched.delete(job);
    };
  }

  /** Every sending has an id of its own: an answer to an earlier one cannot be mistaken for this one's. */
  #send(pending: Pending): void {
    this.#count += 1;
    const id = `c${this.#count}`;
    this.#pending.set(id, pending);
    pending.job = null;
    const { slot } = pending.options;
    const session = slot === undefined ? {} : { slot, session: this.session ?? undefined };
    this.#connection.send({ op: "search", id, search: { ...pending.search, ...session } });
  }

  #bound(pending: Pending): () => void {
    const { signal, timeoutMs = TIMEOUT_MS } = pending.options;
    const stop = (error: ProblemError): void => {
      if (pending.job !== null) this.cancel(pending.job);
      this.#failPending(pending, error);
    };
    const abort = (): void => stop(takenBack());
    const timer = setTimeout(() => stop(timedOut(timeoutMs)), timeoutMs);
    signal?.addEventListener("abort", abort);
    return () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    };
  }

  #supersede(slot: string | undefined): void {
    if (slot === undefined) return;
    for (const [id, pending] of this.#pending) if (pending.options.slot === slot) this.#fail(id, superseded());
  }

  #resume(recovered: boolean): void {
    for (const [id, pending] of [...this.#pending]) {
      if (recovered && pending.job !== null) continue;
      this.#pending.delete(id);
      this.#send(pending);
    }
    for (const job of this.#watched.keys()) this.#connection.send({ op: "watch", job });
  }

  #receive(frame: ServerFrame): void {
    switch (frame.op) {
      case "accepted":
        return this.#accepted(frame.id, frame.job);
      case "event":
        return this.#told(frame);
      case "result":
        return this.#finished(frame);
      case "error":
        return this.#refused(frame.id, frame.error);
      default:
        return undefined;
    }
  }

  #accepted(id: string, job: string): void {
    const pending = this.#pending.get(id);
    if (pending) pending.job = job;
  }

  #told(event: JobEvent): void {
    this.#pending.get(event.id ?? "")?.options.onEvent?.(event);
    this.#watched.get(event.job)?.forEach((listener) => listener(event));
  }

  #finished(frame: JobResult): void {
    this.#watched.get(frame.job)?.forEach((listener) => listener(frame));
    const pending = this.#pending.get(frame.id ?? "");
    if (!pending) return;
    this.#pending.delete(frame.id ?? "");
    if (frame.state === "succeeded" && frame.result) pending.resolve(frame.result);
    else pending.reject(ended(frame));
  }

  #refused(id: string | null | undefined, problem: Problem): void {
    const pending = this.#pending.get(id ?? "");
    if (!pending) return;
    if (problem.type.endsWith("session-not-found") && !pending.renewed) {
      pending.renewed = true;
      return this.#connection.renew();
    }
    this.#fail(id ?? "", new ProblemError(problem));
  }

  #lost(code: number): void {
    if (code === NOT_ALLOWED) this.#denied.forEach((listener) => listener());
    if (code !== TOO_LARGE) return;
    // Sent again, it would only close the next connection too.
    const error = localProblem("too-large", "The search is too large", "The server takes 8 MiB at once.", false);
    for (const [id, pending] of this.#pending) if (pending.job === null) this.#fail(id, error);
  }

  #failPending(pending: Pending, error: ProblemError): void {
    for (const [id, one] of this.#pending) if (one === pending) this.#pending.delete(id);
    pending.reject(error);
  }

  #fail(id: string, error: ProblemError): void {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    pending?.reject(error);
  }
}

const takenBack = (): ProblemError => localProblem("cancelled", "Cancelled", "The search was taken back.", false);

function ended({ state, error }: JobResult): ProblemError {
  return new ProblemError(error ?? { type: state, title: `The search ended as ${state}`, status: 500 });
}

function timedOut(timeoutMs: number): ProblemError {
  return localProblem("timed-out", "No answer in time", `Clipline did not answer within ${Math.round(timeoutMs / 1000)} s.`);
}

interface Deferred<T> {
  promise: Promise<T>;
  resolve: (value: T) => void;
  reject: (error: ProblemError) => void;
}

function deferred<T>(): Deferred<T> {
  let resolve: (value: T) => void = () => undefined;
  let reject: (error: ProblemError) => void = () => undefined;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
