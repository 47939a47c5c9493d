/** A real stack for tests: Redis, a worker without a model, and an API that can be killed and started again. */

import type { ChildProcessByStdio } from "node:child_process";
import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Interface } from "node:readline";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const PYTHON = ".venv/bin/python";

/** `open` and `shut` are the gate at which searches for "wait …" stand. */
export type Command = "open" | "shut" | "kill" | "start";

interface Told {
  url: string;
  keyed_url: string;
  key: string;
}

export class Stand {
  readonly url: string;
  /** Wants the key, and lets a tenant submit one job a second. */
  readonly keyedUrl: string;
  readonly key: string;
  readonly #process: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;

  private constructor(process: ChildProcessByStdio<Writable, Readable, null>, lines: AsyncIterator<string>, told: Told) {
    this.#process = process;
    this.#lines = lines;
    this.url = told.url;
    this.keyedUrl = told.keyed_url;
    this.key = told.key;
  }

  static async start(): Promise<Stand> {
    const child = spawn(PYTHON, ["-m", "tests.client.stand"], { cwd: ROOT, stdio: ["pipe", "pipe", "inherit"] });
    const reader: Interface = createInterface(child.stdout);
    const lines = reader[Symbol.asyncIterator]();
    return new Stand(child, lines, JSON.parse(await next(lines)) as Told);
  }

  /** Returns when it is done. */
  async tell(command: Command): Promise<void> {
    this.#process.stdin.write(`${command}\n`);
    await next(this.#lines);
  }

  async stop(): Promise<void> {
    const ended = once(this.#process, "exit");
    this.#process.stdin.end();
    await ended;
  }
}

async function next(lines: AsyncIterator<string>): Promise<string> {
  const line = await lines.next();
  if (line.done) throw new Error("the stack ended");
  return line.value;
}
