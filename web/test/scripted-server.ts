/** A websocket server on a free port whose side of the talk a test writes, frame by frame. */

import { once } from "node:events";
import type { AddressInfo } from "node:net";

import type { WebSocket as Peer } from "ws";
import { WebSocket, WebSocketServer } from "ws";

import { Backoff } from "../src/client/backoff.ts";
import type { Socket } from "../src/client/connection.ts";
import type { ConnectionOptions } from "../src/client/connection.ts";
import type { Search, SearchResult, ServerFrame } from "../src/client/contract.ts";

export const CAT = { collection: "pictograms", query: { text: "cat" } };
export const DOG = { collection: "pictograms", query: { text: "dog" } };

export interface Heard {
  op: string;
  id?: string;
  job?: string;
  /** Of a hello who calls, of a search which one it is. */
  key?: string;
  search?: Search;
}

/** A frame may leave out what is null. */
export type Said<Frame = ServerFrame> = Frame extends { op: string } ? Pick<Frame, "op"> & Partial<Frame> : never;

/** What comes, in order, for whoever waits for it. */
class Mailbox<T> {
  readonly #waiting: ((item: T) => void)[] = [];
  readonly #items: T[] = [];

  put(item: T): void {
    const waiting = this.#waiting.shift();
    if (waiting) waiting(item);
    else this.#items.push(item);
  }

  next(): Promise<T> {
    const item = this.#items.shift();
    return item === undefined ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve(item);
  }

  get size(): number {
    return this.#items.length;
  }
}

export class Visit {
  readonly heard = new Mailbox<Heard>();
  readonly query: URLSearchParams;
  readonly #peer: Peer;

  constructor(peer: Peer, url: string) {
    this.#peer = peer;
    this.query = new URL(url, "ws://local").searchParams;
    peer.on("message", (data: Buffer) => this.#hear(JSON.parse(data.toString()) as Heard));
  }

  /** A ping that wants an answer gets one: whoever sends it waits for that. */
  #hear(frame: Heard): void {
    if (frame.op === "ping" && frame.id !== undefined) this.say({ op: "pong", id: frame.id });
    else this.heard.put(frame);
  }

  say(frame: Said): void {
    this.#peer.send(JSON.stringify(frame));
  }

  raw(text: string): void {
    this.#peer.send(text);
  }

  welcome(session = "s1", { recovered = false, seq = "0" } = {}): void {
    this.say({ op: "welcome", session, seq, recovered });
  }

  /** The next search, taken as a job of the same name. */
  async take(): Promise<Heard & { id: string; search: Search }> {
    const frame = await this.heard.next();
    if (frame.op !== "search" || !frame.id || !frame.search) throw new Error(`expected a search, got ${frame.op}`);
    this.say({ op: "accepted", id: frame.id, job: `job-${frame.id}` });
    return { ...frame, id: frame.id, search: frame.search };
  }

  answer(id: string, result: SearchResult, seq = "1"): void {
    this.say({ op: "result", id, seq, job: `job-${id}`, state: "succeeded", result });
  }

  /** Until all that was said has reached the client: what comes after it in the stream is answered. */
  async arrived(): Promise<void> {
    const answered = once(this.#peer, "pong");
    this.#peer.ping();
    await answered;
  }

  close(code: number): Promise<unknown> {
    const closed = once(this.#peer, "close");
    this.#peer.close(code);
    return closed;
  }

  drop(): void {
    this.#peer.terminate();
  }
}

export class ScriptedServer {
  readonly #server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  readonly #visits = new Mailbox<Visit>();

  async start(): Promise<this> {
    this.#server.on("connection", (peer, request) => this.#visits.put(new Visit(peer, request.url ?? "/")));
    await once(this.#server, "listening");
    return this;
  }

  /** How a client of this server connects: at once again when it has to. */
  get options(): ConnectionOptions {
    const { port } = this.#server.address() as AddressInfo;
    const connect = (url: string): Socket => new WebSocket(url);
    return { url: `ws://127.0.0.1:${port}/v1/ws`, connect, backoff: new Backoff({ random: () => 0 }) };
  }

  visit(): Promise<Visit> {
    return this.#visits.next();
  }

  async welcomed(): Promise<Visit> {
    const visit = await this.visit();
    visit.welcome();
    return visit;
  }

  async stop(): Promise<void> {
    for (const peer of this.#server.clients) peer.terminate();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

export function found(...ids: number[]): SearchResult {
  const took = { queue_ms: 1, encode_ms: 2, search_ms: 3, total_ms: 6, plan: "exact" as const, rounds: 1 };
  return { hits: ids.map((id) => ({ id, score: 0.3 })), exhausted: false, model: "demo", took };
}
