/** A session's marks in one collection as the page knows them: the server's, with what is on its way there on top. */

import { Backoff } from "../client/backoff.ts";
import type { Marked, Marks, Problem, SessionFrame, SessionView } from "../client/contract.ts";
import { localProblem, problemOf } from "../client/problem.ts";
import type { Change, Held } from "./held.ts";
import { changed, changesOf, heldOf, NOTHING } from "./held.ts";

/** The part of the HTTP client that keeping marks needs. */
export interface Keeper {
  show: (session: string, collection: string) => Promise<SessionView>;
  mark: (session: string, marks: Marks) => Promise<Marked>;
  undo: (session: string, collection: string) => Promise<Marked>;
  redo: (session: string, collection: string) => Promise<Marked>;
}

export interface Kept {
  /** With what is still on its way. */
  held: Held;
  /** That alone: the server does not know of it yet. */
  unsaved: Held;
  /** Why the server has not taken it. */
  problem: Problem | null;
  view: SessionView | null;
  /** Whether something is on its way. */
  waits: boolean;
}

type Way = "undo" | "redo";
type Errand = { marks: Marks } | { way: Way; collection: string; done: (problem: Problem | null) => void };

const MOST = 200;
/** A frame that tells of a change comes before this, or the sets are read. */
const PATIENCE_MS = 300;
const EMPTY: Kept = { held: NOTHING, unsaved: NOTHING, problem: null, view: null, waits: false };

export interface KeptOptions {
  changed: () => void;
  lost: () => void;
  backoff?: Backoff;
}

export class KeptMarks {
  kept = EMPTY;
  readonly #keeper: Keeper;
  readonly #changed: () => void;
  /** Called when the server does not know the session any more. */
  readonly #lost: () => void;
  readonly #backoff: Backoff;
  #session: string | null = null;
  #collection: string | null = null;
  #base = NOTHING;
  #revision = 0;
  #wanted = 0;
  #errands: Errand[] = [];
  #busy = false;
  #isLost = false;
  #reading = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #again: ReturnType<typeof setTimeout> | undefined;

  constructor(keeper: Keeper, { changed: told, lost, backoff = new Backoff() }: KeptOptions) {
    this.#keeper = keeper;
    this.#backoff = backoff;
    this.#changed = told;
    this.#lost = lost;
  }

  /** From now on these; what is not saved yet goes on to be. */
  open(session: string | null, collection: string | null): void {
    this.#session = session;
    this.#collection = collection;
    this.#base = NOTHING;
    this.#revision = this.#wanted = 0;
    this.#show({ problem: null, view: null });
    void this.read();
    void this.#run();
  }

  close(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#again);
    this.#session = this.#collection = null;
    this.#reading += 1;
  }

  mark(change: Change): void {
    if (this.#collection === null) return;
    if (this.#errands.length >= MOST) {
      return this.#show({ problem: localProblem("too-many-requests", "Too much waits for the server", "This mark was not made.").problem });
    }
    this.#errands.push({ marks: { collection: this.#collection, ...change } });
    this.#show({});
    void this.#run();
  }

  /** Null when it is done; a change that the server has not taken is simply forgotten. */
  step(way: Way): Promise<Problem | null> {
    const last = this.#errands.at(-1);
    if (way === "undo" && last !== undefined && "marks" in last && !(this.#busy && this.#errands.length === 1)) {
      this.#errands.pop();
      this.#show(this.#errands.length === 0 ? { problem: null } : {});
      return Promise.resolve(null);
    }
    const collection = this.#collection;
    if (collection === null) return Promise.resolve(null);
    return new Promise((done) => {
      this.#errands.push({ way, collection, done });
      void this.#run();
    });
  }

  /** Also when it could not be saved before. */
  retry(): void {
    void this.read();
    void this.#run();
  }

  hear(frame: SessionFrame): void {
    const { collection, revision, changes, by } = frame;
    // Somebody joined.
    if (collection === null) return void this.read();
    if (collection !== this.#collection || revision === null || revision <= this.#revision) return;
    if (changes === null || revision > this.#revision + 1) {
      this.#wanted = Math.max(this.#wanted, revision);
      return void this.read();
    }
    this.#base = changed(this.#base, changes, by);
    this.#revision = revision;
    this.#show({});
  }

  async read(): Promise<void> {
    const [session, collection] = [this.#session, this.#collection];
    if (session === null || collection === null) return;
    this.#reading += 1;
    const turn = this.#reading;
    try {
      const view = await this.#keeper.show(session, collection);
      if (turn !== this.#reading) return;
      this.#take(view);
    } catch (error) {
      if (turn === this.#reading) this.#show({ problem: problemOf(error) });
    }
  }

  #take(view: SessionView): void {
    if (view.sets !== null && view.sets.revision >= this.#revision) {
      this.#base = heldOf(view.sets);
      this.#revision = view.sets.revision;
    }
    this.#show({ view, ...(this.#errands.length === 0 && { problem: null }) });
    if (this.#revision < this.#wanted) this.#readSoon();
  }

  #readSoon(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (this.#revision < this.#wanted) void this.read();
    }, PATIENCE_MS);
  }

  /** One after the other, so that the server hears of them in the order in which they were made. */
  async #run(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    clearTimeout(this.#again);
    while (this.#session !== null && this.#errands[0] !== undefined) {
      if (!(await this.#send(this.#session, this.#errands[0]))) break;
    }
    this.#busy = false;
  }

  async #send(session: string, errand: Errand): Promise<boolean> {
    try {
      const marked = await ("marks" in errand ? this.#keeper.mark(session, errand.marks) : this.#keeper[errand.way](session, errand.collection));
      this.#errands.shift();
      this.#backoff.reset();
      this.#settle(errand, marked);
      return true;
    } catch (error) {
      this.#failed(errand, problemOf(error));
      return !("marks" in errand);
    }
  }

  #settle(errand: Errand, { collection, revision }: Marked): void {
    if ("way" in errand) errand.done(null);
    if (collection === this.#collection && revision > this.#revision) {
      if ("marks" in errand && revision === this.#revision + 1) {
        this.#base = changed(this.#base, changesOf(this.#base, errand.marks), this.kept.view?.member ?? null);
        this.#revision = revision;
      } else {
        this.#wanted = Math.max(this.#wanted, revision);
        this.#readSoon();
      }
    }
    this.#isLost = false;
    this.#show({ problem: null });
  }

  #failed(errand: Errand, problem: Problem): void {
    if ("way" in errand) {
      this.#errands.shift();
      errand.done(problem);
    } else {
      this.#show({ problem });
      // Sooner when the searcher says so, or the network is back.
      const waitMs = this.#backoff.next((problem.retry_after_s ?? 0) * 1_000);
      if (problem.retryable === true) this.#again = setTimeout(() => void this.#run(), waitMs);
    }
    // Once: a server that forgets every session at once is not asked for ever.
    if (problem.type.endsWith("session-not-found") && !this.#isLost) {
      this.#isLost = true;
      this.#lost();
    }
  }

  #show(change: Partial<Kept>): void {
    let [held, unsaved] = [this.#base, NOTHING];
    const by = (change.view ?? this.kept.view)?.member ?? null;
    for (const errand of this.#errands) {
      if (!("marks" in errand) || errand.marks.collection !== this.#collection) continue;
      unsaved = changed(unsaved, changesOf(held, errand.marks), by);
      held = changed(held, changesOf(held, errand.marks), by);
    }
    this.kept = { ...this.kept, ...change, held, unsaved, waits: this.#errands.length > 0 };
    this.#changed();
  }
}
