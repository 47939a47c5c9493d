/** What sessions hold for their searchers: marks, and the way back. */

import type { Archive, Marked, Marks, NewSession, Seat, SessionHistory, SessionPage, SessionView } from "./contract.ts";
import type { Transport } from "./transport.ts";
import { randomKey } from "./transport.ts";

export class SessionCalls {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** The id of a new one; a websocket has its own. */
  async create(): Promise<string> {
    return (await this.#transport.json<NewSession>("v1/sessions", { method: "POST" })).session;
  }

  /** The tenant's, newest first; `before` is an earlier page's `next`. */
  list({ before, limit = 50 }: { before?: string | null; limit?: number } = {}, signal?: AbortSignal): Promise<SessionPage> {
    const query = new URLSearchParams({ limit: String(limit), ...(before != null && { before }) });
    return this.#transport.json<SessionPage>(`v1/sessions?${query.toString()}`, { signal });
  }

  /** End it with all that it holds; of a team's session its members' own too. */
  async drop(session: string): Promise<void> {
    await this.#transport.end(place(session), "session-not-found");
  }

  /** With a collection, also the sets that the session has there. */
  show(session: string, collection?: string, signal?: AbortSignal): Promise<SessionView> {
    const query = collection === undefined ? "" : `?${new URLSearchParams({ collection }).toString()}`;
    return this.#transport.json<SessionView>(`${place(session)}${query}`, { signal });
  }

  /** What is there already, or not there, changes nothing: a change may be sent again. */
  mark(session: string, marks: Marks): Promise<Marked> {
    return this.#send("POST", `${place(session)}/marks`, marks);
  }

  /** Take the last change in a collection back. */
  undo(session: string, collection: string): Promise<Marked> {
    return this.#send("POST", `${place(session)}/undo`, { collection }, once());
  }

  /** Do again what was taken back last. */
  redo(session: string, collection: string): Promise<Marked> {
    return this.#send("POST", `${place(session)}/redo`, { collection }, once());
  }

  /** A session of a member's own, which shares its marks with the team's. */
  join(session: string, name: string): Promise<Seat> {
    return this.#send("POST", `${place(session)}/members`, { name });
  }

  /** What it asked, newest first. */
  async history(session: string, limit = 50, signal?: AbortSignal): Promise<SessionHistory["history"]> {
    return (await this.#transport.json<SessionHistory>(`${place(session)}/history?limit=${limit}`, { signal })).history;
  }

  /** Everything that it holds. */
  export(session: string, signal?: AbortSignal): Promise<Archive> {
    return this.#transport.json<Archive>(`${place(session)}/export`, { signal });
  }

  /** Into a new session, whose id comes back, or into one that there is. */
  async import(archive: Archive, session?: string): Promise<string> {
    if (session === undefined) return (await this.#send<NewSession>("POST", "v1/sessions/import", archive)).session;
    return (await this.#send<SessionView>("PUT", place(session), archive)).session;
  }

  #send<T>(method: string, path: string, value: unknown, more: Record<string, string> = {}): Promise<T> {
    const headers = { "Content-Type": "application/json", ...more };
    return this.#transport.json<T>(path, { method, body: JSON.stringify(value), headers });
  }
}

const place = (session: string): string => `v1/sessions/${encodeURIComponent(session)}`;

/** A repeated request must not take a second change back. */
const once = (): Record<string, string> => ({ "Idempotency-Key": randomKey() });
