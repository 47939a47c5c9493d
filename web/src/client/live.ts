/** Searches over one websocket: each a promise, and none lost when the connection is. */

import { Connection, NOT_ALLOWED, TOO_LARGE } from "./connection.ts";
import type { ConnectionState } from "./connection.ts";
import type { RefusedFrame, Search, SearchResult, ServerFrame } from "./contract.ts";
import type { JobFrame } from "./feed.ts";
import { Feed } from "./feed.ts";
import type { JobListener, LiveOptions, SessionListener, StateListener, Watcher } from "./listeners.ts";
import type { SearchOptions } from "./pending.ts";
import { Pending } from "./pending.ts";
import { connectionClosed, localProblem, ProblemError, superseded, takenBack, unauthorized } from "./problem.ts";
import { Run } from "./run.ts";
import { randomKey } from "./transport.ts";

export type { JobListener, LiveOptions, SessionListener, StateListener } from "./listeners.ts";
export type { SearchOptions } from "./pending.ts";

const MAX_PENDING = 64;
const REPLAYED = "replayed";

export class LiveClient {
  readonly #connection: Connection;
  readonly #patienceMs: number;
  readonly #pending = new Map<string, Pending>();
  /** Searches that were taken back before the server said which jobs they are. */
  readonly #left = new Set<string>();
  readonly #watched = new Map<string, Set<Watcher>>();
  readonly #listeners = new Set<StateListener>();
  readonly #sessions = new Set<SessionListener>();
  readonly #denied = new Set<() => void>();
  /** Tells this client's frames from those of another one in the same session, such as another tab. */
  readonly #name = randomKey().slice(0, 8);
  #count = 0;

  constructor({ patienceMs = 0, ...options }: LiveOptions) {
    this.#patienceMs = patienceMs;
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

  /** Go on in another session, or, without one, in a new one. */
  enter(session: string | null): void {
    this.#connection.renew(session);
  }

  close(): void {
    this.#connection.close();
    this.#failAll(connectionClosed());
  }

  onState(listener: StateListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** What becomes of the session's marks, also through others of its team; null at each welcome that cannot replay it. */
  onSession(listener: SessionListener): () => void {
    this.#sessions.add(listener);
    return () => this.#sessions.delete(listener);
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
    const pending = new Pending(search, options, (error) => this.#stop(pending, error));
    this.#send(pending);
    return pending.result;
  }

  /** A search whose steps can be followed. */
  submit(search: Search, options: SearchOptions = {}): Run {
    return new Run((more) => this.search(search, { ...options, ...more }), options);
  }

  cancel(job: string): void {
    this.#connection.send({ op: "cancel", job });
  }

  /** Follow a job: a snapshot first, then what happens to it. */
  watch(job: string, told: JobListener, refused: (error: ProblemError) => void = () => undefined): () => void {
    const watcher: Watcher = { told, refused };
    const watchers = this.#watched.get(job) ?? new Set();
    this.#watched.set(job, watchers.add(watcher));
    this.#connection.send({ op: "watch", job });
    return () => {
      watchers.delete(watcher);
      if (watchers.size === 0 && this.#watched.get(job) === watchers) this.#watched.delete(job);
    };
  }

  /** The same as an async iterator: the job's events from now on, then its result. */
  follow(job: string): AsyncIterableIterator<JobFrame, undefined> {
    let stop = (): void => undefined;
    const feed = new Feed(() => stop());
    stop = this.watch(job, (frame) => feed.put(frame), (error) => feed.fail(error));
    return feed;
  }

  /** Every sending has an id of its own: an answer to an earlier one cannot be mistaken for this one's. */
  #send(pending: Pending): void {
    this.#count += 1;
    const id = `${this.#name}-${this.#count}`;
    this.#pending.set(id, pending);
    pending.job = null;
    const { slot } = pending.options;
    const session = slot === undefined ? {} : { slot, session: this.session ?? undefined };
    pending.said = this.#connection.welcomes;
    this.#connection.send({ op: "search", id, key: pending.key, search: { ...pending.search, ...session } });
  }

  #leave(id: string): void {
    if (this.#left.add(id).size > MAX_PENDING) this.#left.delete([...this.#left][0] ?? id);
  }

  #stop(pending: Pending, error: ProblemError): void {
    if (pending.job !== null) this.cancel(pending.job);
    for (const [id, one] of this.#pending) {
      if (one !== pending) continue;
      this.#pending.delete(id);
      if (pending.job === null) this.#leave(id);
    }
    pending.fail(error);
  }

  #supersede(slot: string | undefined): void {
    if (slot === undefined) return;
    for (const [id, pending] of this.#pending) if (pending.options.slot === slot) this.#fail(id, superseded());
  }

  /**
   * The answer to the ping comes after the replay, which tells of all that was accepted. Of a search that was asked again
   * it may have told before, under the first name, which was not known then.
   */
  #resume(recovered: boolean): void {
    if (!recovered) this.#sessions.forEach((listener) => listener(null));
    for (const job of this.#watched.keys()) this.#connection.send({ op: "watch", job });
    if (recovered) this.#connection.send({ op: "ping", id: REPLAYED });
    else this.#sayAgain(() => true);
  }

  #sayAgain(lost: (pending: Pending) => boolean): void {
    const { welcomes } = this.#connection;
    for (const [id, pending] of [...this.#pending]) {
      if (pending.said !== welcomes && !pending.waits && lost(pending)) this.#again(id, pending);
    }
  }

  #again(id: string, pending: Pending): void {
    if (this.#pending.get(id) !== pending) return;
    this.#pending.delete(id);
    pending.askedAgain ||= pending.said > 0;
    this.#send(pending);
  }

  #receive(frame: ServerFrame): void {
    switch (frame.op) {
      case "accepted":
        return this.#accepted(frame.id, frame.job);
      case "event":
      case "result":
        return this.#told(frame);
      case "session":
        return this.#sessions.forEach((listener) => listener(frame));
      case "error":
        return this.#refused(frame);
      case "pong":
        return frame.id === REPLAYED ? this.#sayAgain(({ job, askedAgain }) => job === null || askedAgain) : undefined;
      default:
        return undefined;
    }
  }

  #accepted(id: string, job: string): void {
    const pending = this.#pending.get(id);
    if (pending) pending.job = job;
    else if (this.#left.delete(id)) this.cancel(job);
  }

  #told(frame: JobFrame): void {
    this.#watched.get(frame.job)?.forEach(({ told }) => told(frame));
    const pending = this.#pending.get(frame.id ?? "");
    if (pending) pending.job = frame.job;
    if (frame.op === "result") this.#pending.delete(frame.id ?? "");
    pending?.hear(frame);
  }

  #refused({ id, job, error: problem }: RefusedFrame): void {
    if (job) this.#watched.get(job)?.forEach(({ refused }) => refused(new ProblemError(problem)));
    const name = id ?? "";
    const pending = this.#pending.get(name);
    if (!pending) return;
    if (problem.type.endsWith("session-not-found") && !pending.renewed) {
      pending.renewed = true;
      return this.#connection.renew();
    }
    if (pending.sendsAgain(problem, this.#patienceMs, () => this.#again(name, pending))) return;
    this.#fail(name, new ProblemError(problem));
  }

  #lost(code: number): void {
    if (code === NOT_ALLOWED) {
      this.#failAll(unauthorized());
      this.#denied.forEach((listener) => listener());
    }
    if (code !== TOO_LARGE) return;
    // Sent again, it would only close the next connection too.
    const error = localProblem("too-large", "The search is too large", "The server takes 8 MiB at once.", false);
    for (const [id, pending] of this.#pending) if (pending.job === null) this.#fail(id, error);
  }

  #failAll(error: ProblemError): void {
    for (const id of [...this.#pending.keys()]) this.#fail(id, error);
    const watchers = [...this.#watched.values()].flatMap((some) => [...some]);
    this.#watched.clear();
    for (const { refused } of watchers) refused(error);
  }

  #fail(id: string, error: ProblemError): void {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    pending?.fail(error);
  }
}
