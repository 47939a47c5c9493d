/** Marks that the server keeps: what is on its way counts at once, what it tells comes in, and nothing is lost. */

import { beforeEach, expect, test } from "vitest";

import { Backoff } from "../src/client/backoff.ts";
import type { Marked, Marks, SessionFrame, SessionView } from "../src/client/contract.ts";
import { localProblem } from "../src/client/problem.ts";
import type { Held } from "../src/search/held.ts";
import { changed, changesOf, heldOf, NOTHING } from "../src/search/held.ts";
import type { Keeper } from "../src/search/kept-marks.ts";
import { KeptMarks } from "../src/search/kept-marks.ts";

const COUNTS = { seen: 0, exclude: 0, positive: 0, negative: 0, exclude_groups: 0 };

/** A server with one session, which takes changes when `open`, and refuses with `refusal`. */
class Server implements Keeper {
  held = NOTHING;
  revision = 0;
  refusal: Error | null = null;
  gate: Promise<void> = Promise.resolve();
  reads = 0;
  calls: string[] = [];

  async show(session: string, collection: string): Promise<SessionView> {
    this.reads += 1;
    if (this.refusal) throw this.refusal;
    await this.gate;
    const items = (set: "exclude" | "positive" | "negative"): { id: number; by: string | null }[] => [...this.held[set]].map(([id, by]) => ({ id: Number(id), by }));
    const groups = [...this.held.exclude_groups].map(([group, by]) => ({ group, by }));
    const seen = [...this.held.seen.keys()].map(Number);
    const sets = { collection, revision: this.revision, counts: COUNTS, seen, exclude: items("exclude"), positive: items("positive"), negative: items("negative"), exclude_groups: groups };
    return { session, created_at: "", collections: [collection], team: "team", member: "Ann", members: ["Ann"], sets };
  }

  async mark(session: string, { collection, ...change }: Marks): Promise<Marked> {
    await this.#called(`mark ${JSON.stringify(change)}`);
    this.held = changed(this.held, changesOf(this.held, change), "Ann");
    return this.#marked(session, collection);
  }

  async undo(session: string, collection: string): Promise<Marked> {
    await this.#called("undo");
    this.held = NOTHING;
    return this.#marked(session, collection);
  }

  async redo(session: string, collection: string): Promise<Marked> {
    await this.#called("redo");
    return this.#marked(session, collection);
  }

  async #called(what: string): Promise<void> {
    await this.gate;
    if (this.refusal) throw this.refusal;
    this.calls.push(what);
  }

  #marked(session: string, collection: string): Marked {
    this.revision += 1;
    return { session, collection, revision: this.revision, counts: COUNTS, forgotten: 0, undo: 1, redo: 0 };
  }
}

let server: Server;
let marks: KeptMarks;
let lost: number;

beforeEach(() => {
  server = new Server();
  lost = 0;
  marks = new KeptMarks(server, { changed: () => undefined, lost: () => void (lost += 1) });
  marks.open("s1", "c");
});

const frame = (revision: number, changes: SessionFrame["changes"], by: string | null = "Ben"): SessionFrame => ({
  op: "session", session: "team", seq: String(revision), at: null, collection: "c", revision, by, changes,
});
const good = (add: number[], remove: number[] = []): SessionFrame["changes"] => [{ set: "positive", add, remove }];
const positive = ({ positive: set }: Held): [unknown, string | null][] => [...set];
const settled = (): Promise<void> => expect.poll(() => marks.kept.unsaved).toEqual(NOTHING);

test("a mark counts at once, and is the server's once it has taken it", async () => {
  await expect.poll(() => marks.kept.view?.member).toBe("Ann");
  marks.mark({ positive: { add: [7] } });
  expect([positive(marks.kept.held), positive(marks.kept.unsaved)]).toEqual([[[7, "Ann"]], [[7, "Ann"]]]);
  await settled();
  expect(positive(marks.kept.held)).toEqual([[7, "Ann"]]);
});

test("marks go out in the order in which they were made", async () => {
  for (const id of [1, 2, 3]) marks.mark({ exclude: { add: [id] } });
  await settled();
  expect(server.calls).toEqual([1, 2, 3].map((id) => `mark {"exclude":{"add":[${id}]}}`));
});

test("what others do is applied, once, also when it is told twice", async () => {
  await expect.poll(() => marks.kept.view).not.toBeNull();
  const reads = server.reads;
  marks.hear(frame(1, good([3])));
  marks.hear(frame(2, good([4], [3])));
  marks.hear(frame(1, good([3])));
  expect(positive(marks.kept.held)).toEqual([[4, "Ben"]]);
  expect(server.reads).toBe(reads);
});

test("after a gap, and where changes are not told, the sets are read", async () => {
  await expect.poll(() => marks.kept.view).not.toBeNull();
  server.held = heldOf({ collection: "c", revision: 3, counts: COUNTS, seen: [], exclude: [], positive: [{ id: 9, by: "Ben" }], negative: [], exclude_groups: [] });
  server.revision = 3;
  marks.hear(frame(3, good([9])));
  await expect.poll(() => positive(marks.kept.held)).toEqual([[9, "Ben"]]);
  server.revision = 4;
  server.held = NOTHING;
  marks.hear(frame(4, null));
  await expect.poll(() => positive(marks.kept.held)).toEqual([]);
});

test("an older reading that arrives late does not take newer changes back", async () => {
  let open = (): void => undefined;
  server.gate = new Promise((resolve) => (open = resolve));
  const reading = marks.read();
  marks.hear(frame(1, good([3])));
  open();
  await reading;
  expect(positive(marks.kept.held)).toEqual([[3, "Ben"]]);
});

test("what the server refuses stays in this tab with the reason, and goes out later", async () => {
  server.refusal = localProblem("unreachable", "Clipline does not answer", "x");
  marks.mark({ exclude: { add: [7] } });
  await expect.poll(() => marks.kept.problem?.type).toBe("unreachable");
  expect([[...marks.kept.held.exclude.keys()], [...marks.kept.unsaved.exclude.keys()]]).toEqual([[7], [7]]);
  server.refusal = null;
  marks.retry();
  await settled();
  expect([[...marks.kept.held.exclude.keys()], marks.kept.problem]).toEqual([[7], null]);
});

test("what the server refused for a while goes out by itself", async () => {
  const backoff = new Backoff({ random: () => 0 });
  marks = new KeptMarks(server, { changed: () => undefined, lost: () => undefined, backoff });
  marks.open("s1", "c");
  server.refusal = localProblem("unreachable", "Clipline does not answer", "x");
  marks.mark({ exclude: { add: [7] } });
  await expect.poll(() => backoff.attempt).toBeGreaterThan(2);
  expect(marks.kept.waits).toBe(true);
  server.refusal = null;
  await settled();
  expect([marks.kept.problem, marks.kept.waits, backoff.attempt]).toEqual([null, false, 0]);
});

test("what it refuses for good is not sent again", async () => {
  server.refusal = localProblem("invalid", "Not so", "x", false);
  const backoff = new Backoff({ random: () => 0 });
  marks = new KeptMarks(server, { changed: () => undefined, lost: () => undefined, backoff });
  marks.open("s1", "c");
  marks.mark({ exclude: { add: [7] } });
  await expect.poll(() => marks.kept.problem?.type).toBe("invalid");
  server.refusal = null;
  await new Promise((done) => setTimeout(done));
  expect(server.calls).toEqual([]);
});

test("undo forgets what the server has not taken, and asks it to take back what it has", async () => {
  marks.mark({ positive: { add: [7] } });
  await settled();
  expect(await marks.step("undo")).toBeNull();
  expect(server.calls.at(-1)).toBe("undo");
  await expect.poll(() => positive(marks.kept.held)).toEqual([]);
  server.refusal = localProblem("unreachable", "Clipline does not answer", "x");
  marks.mark({ positive: { add: [8] } });
  await expect.poll(() => marks.kept.problem).not.toBeNull();
  expect(await marks.step("undo")).toBeNull();
  expect(marks.kept.held).toEqual(NOTHING);
  expect((await marks.step("redo"))?.type).toBe("unreachable");
});

test("a session that is gone is renewed once, and what was not saved goes into the new one", async () => {
  server.refusal = localProblem("session-not-found", "No such session", "x");
  marks.mark({ positive: { add: [7] } });
  marks.mark({ positive: { add: [8] } });
  await expect.poll(() => lost).toBe(1);
  marks.retry();
  await expect.poll(() => marks.kept.problem?.type).toBe("session-not-found");
  expect(lost).toBe(1);
  server.refusal = null;
  marks.open("s2", "c");
  await settled();
  expect(positive(marks.kept.held)).toEqual([[7, "Ann"], [8, "Ann"]]);
});

test("each collection has its own, and only so much waits for the server", async () => {
  server.refusal = localProblem("unreachable", "Clipline does not answer", "x");
  for (let id = 0; id < 201; id += 1) marks.mark({ exclude: { add: [id] } });
  expect([marks.kept.unsaved.exclude.size, marks.kept.problem?.type]).toEqual([200, "too-many-requests"]);
  marks.open("s1", "other");
  expect(marks.kept.held).toEqual(NOTHING);
  await expect.poll(() => marks.kept.problem?.type).toBe("unreachable");
});
