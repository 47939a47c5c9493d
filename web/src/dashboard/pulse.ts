/** Hears from the API, over its websocket, that something happened; silent while the page is hidden. */

import { Connection } from "../client/connection.ts";
import type { ConnectionState } from "../client/connection.ts";

export type Beat = () => void;

export class Pulse {
  readonly #connection: Connection;
  readonly #listeners = new Set<Beat>();
  readonly #watchers = new Set<(state: ConnectionState) => void>();

  constructor(url: string, key: () => string | null) {
    this.#connection = new Connection(
      { url, key },
      {
        frame: (frame) => {
          if (frame.op === "pulse") this.#listeners.forEach((beat) => beat());
        },
        welcome: () => this.#connection.send({ op: "follow" }),
        lost: () => undefined,
        state: (state) => this.#watchers.forEach((told) => told(state)),
      },
    );
  }

  get state(): ConnectionState {
    return this.#connection.state;
  }

  start(): void {
    this.#connection.start();
  }

  stop(): void {
    this.#connection.close();
  }

  onBeat(beat: Beat): () => void {
    this.#listeners.add(beat);
    return () => this.#listeners.delete(beat);
  }

  onState(told: (state: ConnectionState) => void): () => void {
    this.#watchers.add(told);
    return () => this.#watchers.delete(told);
  }
}
