/** What sessions hold for their searchers: marks, and the way back. */

import type { Marked, Marks, NewSession, SessionView } from "./contract.ts";
import type { Transport } from "./transport.ts";

export class SessionCalls {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** The id of a new one; a websocket has its own. */
  async create(): Promise<string> {
    return (await this.#transport.json<NewSession>("v1/sessions", { method: "POST" })).session;
  }

  /** With a collection, also the sets that the session has there. */
  show(session: string, collection?: string, signal?: AbortSignal): Promise<SessionView> {
    const query = collection === undefined ? "" : `?${new URLSearchParams({ collection }).toString()}`;
    return this.#transport.json<SessionView>(`${place(session)}${query}`, { signal });
  }

  /** What is there already, or not there, changes nothing: a change may be sent again. */
  mark(session: string, marks: Marks): Promise<Marked> {
    return this.#post(`${place(session)}/marks`, marks);
  }

  /** Take the last change in a collection back. */
  undo(session: string, collection: string): Promise<Marked> {
    return this.#post(`${place(session)}/undo`, { collection });
  }

  /** Do again what was taken back last. */
  redo(session: string, collection: string): Promise<Marked> {
    return this.#post(`${place(session)}/redo`, { collection });
  }

  #post(path: string, value: unknown): Promise<Marked> {
    const headers = { "Content-Type": "application/json" };
    return this.#transport.json<Marked>(path, { method: "POST", body: JSON.stringify(value), headers });
  }
}

const place = (session: string): string => `v1/sessions/${encodeURIComponent(session)}`;
