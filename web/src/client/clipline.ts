/** A Clipline server in one object: searches over a websocket, everything else over HTTP. */

import { Backoff } from "./backoff.ts";
import type { SocketConstructor } from "./connection.ts";
import type { Search, SearchResult } from "./contract.ts";
import type { JobFrame } from "./feed.ts";
import { HttpClient } from "./http.ts";
import type { SearchOptions } from "./live.ts";
import { LiveClient } from "./live.ts";
import type { Run } from "./run.ts";
import { Typeahead } from "./typeahead.ts";

export interface CliplineOptions {
  /** Where the API answers; relative to the page, where there is one. */
  url?: string;
  key?: string | null;
  /** The session in which its searches go on. */
  session?: string | null;
  /** For how long a busy server is asked again. */
  patienceMs?: number;
  backoff?: () => Backoff;
  /** Where there is none, as in Node before 22: that of the package `ws`. */
  WebSocket?: SocketConstructor;
}

const PATIENCE_MS = 10_000;

export class Clipline {
  readonly http: HttpClient;
  readonly live: LiveClient;

  constructor({ url = "", key = null, session = null, WebSocket, ...given }: CliplineOptions = {}) {
    const base = baseOf(url);
    const common = { key: () => key, patienceMs: PATIENCE_MS, backoff: () => new Backoff(), ...given };
    this.http = new HttpClient({ ...common, base: base.href });
    this.live = new LiveClient({ ...common, backoff: common.backoff(), url: socketOf(base), session, WebSocket });
  }

  /** Raises ProblemError. What is asked while the connection is away goes out when it is back. */
  async search(search: Search, options: SearchOptions = {}): Promise<SearchResult> {
    this.#connect();
    return await this.live.search(search, options);
  }

  /** A search whose steps can be followed and which can be taken back. */
  submit(search: Search, options: SearchOptions = {}): Run {
    this.#connect();
    return this.live.submit(search, options);
  }

  /** What happens to any job of the tenant: its events from now on, then its result. */
  follow(job: string): AsyncIterableIterator<JobFrame, undefined> {
    this.#connect();
    return this.live.follow(job);
  }

  /** Searches of which only the newest is answered. */
  typeahead(options: SearchOptions = {}): Typeahead {
    return new Typeahead(this, options);
  }

  /** What is still open fails; a later search connects again. */
  close(): void {
    this.live.close();
  }

  #connect(): void {
    if (this.live.state === "closed") this.live.connect();
  }
}

function baseOf(url: string): URL {
  const page = (globalThis as { location?: Location }).location?.href;
  return new URL(".", new URL(url === "" || url.endsWith("/") ? url : `${url}/`, page));
}

function socketOf(base: URL): string {
  const socket = new URL("v1/ws", base);
  socket.protocol = base.protocol === "https:" ? "wss:" : "ws:";
  return socket.href;
}
