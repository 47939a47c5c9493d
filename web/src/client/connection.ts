/** One websocket that stays: hello, welcome, heartbeat, and reconnecting where it left off. */

import { Backoff } from "./backoff.ts";
import type { ClientFrame, ServerFrame, Welcome } from "./contract.ts";

export type ConnectionState = "connecting" | "open" | "reconnecting" | "closed";

/** What a browser's WebSocket and the `ws` package have in common. */
export interface Socket {
  readonly readyState: number;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  send(data: string): void;
  close(code?: number, reason?: string): void;
}

export type SocketConstructor = new (url: string) => Socket;

export interface ConnectionOptions {
  url: string;
  key?: () => string | null;
  /** The session to go on in, if it is still there. */
  session?: string | null;
  /** By default the platform's own, which Node has from version 22 on. */
  WebSocket?: SocketConstructor;
  connect?: (url: string) => Socket;
  backoff?: Backoff;
  welcomeWithinMs?: number;
  pingEveryMs?: number;
}

export interface ConnectionHandlers {
  frame: (frame: ServerFrame) => void;
  welcome: (welcome: Welcome) => void;
  lost: (code: number) => void;
  state: (state: ConnectionState) => void;
}

export const NOT_ALLOWED = 1008;
export const TOO_LARGE = 1009;
const TRY_LATER = 1013;
const TRY_LATER_MS = 2_000;
const OPEN = 1;
const OPS: ReadonlySet<string> = new Set(["welcome", "accepted", "event", "result", "error", "pong", "pulse", "marked", "session"]);

export class Connection {
  readonly #options: Required<Omit<ConnectionOptions, "backoff" | "session" | "WebSocket">>;
  readonly #backoff: Backoff;
  readonly #on: ConnectionHandlers;
  #state: ConnectionState = "closed";
  #socket: Socket | null = null;
  #session: string | null = null;
  #after: string | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #heartbeat: ReturnType<typeof setInterval> | undefined;
  #heard = true;
  #welcomes = 0;

  constructor(options: ConnectionOptions, handlers: ConnectionHandlers) {
    const defaults = { key: () => null, connect: opening(options.WebSocket) };
    this.#options = { ...defaults, welcomeWithinMs: 15_000, pingEveryMs: 20_000, ...options };
    this.#backoff = options.backoff ?? new Backoff();
    this.#session = options.session ?? null;
    this.#on = handlers;
  }

  get state(): ConnectionState {
    return this.#state;
  }

  get session(): string | null {
    return this.#session;
  }

  /** How often the server has said welcome: what was sent before the last time may not have arrived. */
  get welcomes(): number {
    return this.#welcomes;
  }

  /** Connect, or connect at once instead of waiting for the next attempt. */
  start(): void {
    if (this.#state === "open" || this.#socket !== null) return;
    this.#enter(this.#session === null && this.#backoff.attempt === 0 ? "connecting" : "reconnecting");
    this.#open();
  }

  send(frame: ClientFrame): boolean {
    if (this.#state !== "open" || this.#socket?.readyState !== OPEN) return false;
    this.#socket.send(JSON.stringify(frame));
    return true;
  }

  /** Leave the session, which the server may no longer know, for another, or for a new one. */
  renew(session: string | null = null): void {
    this.#session = session;
    this.#after = null;
    this.#drop();
    this.start();
  }

  close(): void {
    this.#drop();
    this.#session = this.#after = null;
    this.#backoff.reset();
    this.#enter("closed");
  }

  #open(): void {
    clearTimeout(this.#timer);
    const socket = this.#options.connect(this.#address());
    this.#socket = socket;
    socket.onopen = () => this.#greet(socket);
    socket.onmessage = (event: { data: unknown }) => this.#receive(event.data);
    socket.onclose = (event: { code: number }) => this.#lost(event.code);
    // An error is always followed by a close, which has the code.
    socket.onerror = () => undefined;
    this.#timer = setTimeout(() => this.#giveUp(), this.#options.welcomeWithinMs);
  }

  #address(): string {
    if (this.#session === null) return this.#options.url;
    const resume = new URLSearchParams({ session: this.#session, ...(this.#after !== null && { after: this.#after }) });
    return `${this.#options.url}?${resume.toString()}`;
  }

  #greet(socket: Socket): void {
    const key = this.#options.key();
    if (key !== null) socket.send(JSON.stringify({ op: "hello", key }));
  }

  #receive(data: unknown): void {
    this.#heard = true;
    const frame = parse(data);
    if (frame === null) return;
    if ("seq" in frame && frame.op !== "welcome") this.#after = frame.seq;
    if (frame.op === "welcome") this.#welcomed(frame);
    else this.#on.frame(frame);
  }

  #welcomed(welcome: Welcome): void {
    clearTimeout(this.#timer);
    const recovered = welcome.recovered && welcome.session === this.#session && this.#after !== null;
    // Of a resumed session the replay is still to come: our own place counts until its frames arrive.
    if (!recovered) this.#after = welcome.seq;
    this.#session = welcome.session;
    this.#welcomes += 1;
    this.#backoff.reset();
    this.#beat();
    this.#enter("open");
    this.#on.welcome({ ...welcome, recovered });
  }

  #beat(): void {
    clearInterval(this.#heartbeat);
    this.#heard = true;
    this.#heartbeat = setInterval(() => {
      if (!this.#heard) return this.#giveUp();
      this.#heard = false;
      this.send({ op: "ping" });
    }, this.#options.pingEveryMs);
  }

  /** A half-open socket may take minutes to say that it is closed; do not wait for it. */
  #giveUp(): void {
    this.#drop();
    this.#lost(1006);
  }

  #lost(code: number): void {
    this.#drop();
    this.#on.lost(code);
    if (code === NOT_ALLOWED) return this.#enter("closed");
    this.#timer = setTimeout(() => this.start(), this.#backoff.next(code === TRY_LATER ? TRY_LATER_MS : 0));
    this.#enter("reconnecting");
  }

  #drop(): void {
    clearTimeout(this.#timer);
    clearInterval(this.#heartbeat);
    const socket = this.#socket;
    this.#socket = null;
    if (socket === null) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
    // Between two sockets nothing is open, whatever was said last.
    if (this.#state === "open") this.#state = "reconnecting";
  }

  #enter(state: ConnectionState): void {
    if (state === this.#state && state !== "reconnecting") return;
    this.#state = state;
    this.#on.state(state);
  }
}

/** Raises Error, at once, where there is no websocket at all. */
function opening(given: SocketConstructor | undefined): (url: string) => Socket {
  const Opened = given ?? (globalThis as { WebSocket?: SocketConstructor }).WebSocket;
  if (Opened !== undefined) return (url) => new Opened(url);
  return () => {
    throw new Error("There is no WebSocket here: give the option WebSocket, from the package ws.");
  };
}

function parse(data: unknown): ServerFrame | null {
  if (typeof data !== "string") return null;
  try {
    const frame: unknown = JSON.parse(data);
    const known = typeof frame === "object" && frame !== null && "op" in frame && OPS.has(String(frame.op));
    return known ? (frame as ServerFrame) : null;
  } catch {
    return null;
  }
}
