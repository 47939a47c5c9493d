import { afterEach, beforeEach, expect, test } from "vitest";

import { LiveClient } from "../src/client/live.ts";
import type { Hit } from "../src/client/contract.ts";
import type { Findings, Phase } from "../src/search/finder.ts";
import { Finder } from "../src/search/finder.ts";
import type { Visit } from "./scripted-server.ts";
import { CAT, DOG, found, ScriptedServer } from "./scripted-server.ts";

let server: ScriptedServer;
let live: LiveClient;
let finder: Finder;
let visit: Visit;

beforeEach(async () => {
  server = await new ScriptedServer().start();
  live = new LiveClient(server.options);
  live.connect();
  visit = await server.welcomed();
  finder = new Finder(live);
});

afterEach(async () => {
  live.close();
  await server.stop();
});

const ids = ({ hits }: Findings): number[] => hits.map(({ id }) => id);

const forget = ({ id }: { id: string }): Promise<void> => {
  visit.say({ op: "error", id, error: { type: "nothing-to-continue", title: "x", status: 409 } });
  return Promise.resolve();
};

const phase = (wanted: Phase): Promise<void> =>
  new Promise((resolve) => {
    if (finder.findings.phase === wanted) resolve();
    finder.subscribe((findings) => findings.phase === wanted && resolve());
  });

test("hits come in the order of the answer", async () => {
  const finding = finder.find(CAT);
  expect(finder.findings.phase).toBe("loading");
  visit.answer((await visit.take()).id, found(3, 1, 2));
  await finding;
  expect([finder.findings.phase, ids(finder.findings)]).toEqual(["done", [3, 1, 2]]);
});

test("a late answer to an older query never replaces a newer one's", async () => {
  const older = finder.find(CAT);
  const first = await visit.take();
  const newer = finder.find(DOG);
  const second = await visit.take();
  visit.answer(second.id, found(2));
  visit.answer(first.id, found(1));
  await Promise.all([older, newer]);
  expect([finder.findings.request, ids(finder.findings)]).toEqual([DOG, [2]]);
});

test("the next page goes on with the session's query, and leaves out what was hidden meanwhile", async () => {
  void finder.find(CAT);
  visit.answer((await visit.take()).id, found(1, 2));
  await phase("done");
  finder.excluding = () => ({ ids: [2], groups: ["a"] });
  void finder.more();
  const { id, search } = await visit.take();
  expect(search).toEqual({ collection: "pictograms", next: true, limit: 48, exclude: { ids: [2], groups: ["a"] }, slot: "main", session: "s1" });
  visit.answer(id, found(3));
  await phase("done");
  expect(ids(finder.findings)).toEqual([1, 2, 3]);
});

test("the relevance line stays with its hits until a new answer has another", async () => {
  void finder.find(CAT);
  visit.answer((await visit.take()).id, { ...found(1, 2), line: 0.25, relevant: 2 });
  await phase("done");
  expect(finder.findings.line).toBe(0.25);
  void finder.find({ ...CAT, query: { text: "a dog" } });
  expect(finder.findings.line).toBe(0.25);
  visit.answer((await visit.take()).id, found(3));
  await phase("done");
  expect(finder.findings.line).toBeNull();
});

test("of groups one picture of each is shown, and the next page leaves out the groups", async () => {
  void finder.find({ ...CAT, group_by: "album" });
  const first = await visit.take();
  expect([first.search.group_by, first.search.group_size]).toEqual(["album", 1]);
  const hit = (id: number, album: string): Hit => ({ id, score: 0.3, payload: { album } });
  const groups = [{ group: "a", hits: [hit(1, "a")] }, { group: "b", hits: [hit(2, "b")] }];
  const { took, model } = found();
  visit.answer(first.id, { took, model, exhausted: false, groups });
  await phase("done");
  expect(ids(finder.findings)).toEqual([1, 2]);
  void finder.more();
  await forget(await visit.take());
  expect((await visit.take()).search.exclude).toEqual({ groups: ["a", "b"] });
});

test("a page that the session cannot give is asked for in full, without what is shown", async () => {
  void finder.find(CAT);
  visit.answer((await visit.take()).id, found(1, 2));
  await phase("done");
  void finder.more();
  await forget(await visit.take());
  const { id, search } = await visit.take();
  expect(search.seen).toEqual([1, 2]);
  visit.answer(id, { ...found(2, 3), exhausted: true });
  await phase("done");
  expect([ids(finder.findings), finder.findings.exhausted]).toEqual([[1, 2, 3], true]);
});

test("after the last page nothing more is asked for", async () => {
  void finder.find(CAT);
  visit.answer((await visit.take()).id, { ...found(1), exhausted: true });
  await phase("done");
  await finder.more();
  expect(finder.findings.phase).toBe("done");
});

test("while the first page is under way there is no second", async () => {
  void finder.find(CAT);
  await finder.more();
  expect(finder.findings.phase).toBe("loading");
});

test("a failure keeps its problem, and trying again asks the same", async () => {
  void finder.find(CAT);
  const { id } = await visit.take();
  visit.say({ op: "error", id, error: { type: "queue-full", title: "Too many", status: 503, retry_after_s: 1 } });
  await phase("failed");
  expect(finder.findings.problem?.type).toBe("queue-full");
  void finder.retry();
  const again = await visit.take();
  expect(again.search.query).toEqual(CAT.query);
  visit.answer(again.id, found(1));
  await phase("done");
});

test("when a later page fails the earlier ones stay, and trying again asks for that page", async () => {
  void finder.find(CAT);
  visit.answer((await visit.take()).id, found(1));
  await phase("done");
  void finder.more();
  const { id } = await visit.take();
  visit.say({ op: "error", id, error: { type: "queue-full", title: "Too many", status: 503 } });
  await phase("failed");
  expect(ids(finder.findings)).toEqual([1]);
  void finder.retry();
  const again = await visit.take();
  expect(again.search.next).toBe(true);
  visit.answer(again.id, found(2));
  await phase("done");
  expect(ids(finder.findings)).toEqual([1, 2]);
});

test("a new query shows the old pictures until its own are there, another collection does not", async () => {
  void finder.find(CAT);
  visit.answer((await visit.take()).id, found(1));
  await phase("done");
  void finder.find(DOG);
  expect(ids(finder.findings)).toEqual([1]);
  void finder.find({ ...DOG, collection: "holidays" });
  expect(ids(finder.findings)).toEqual([]);
});

test("what was cleared stays clear, whatever comes late", async () => {
  const finding = finder.find(CAT);
  const { id } = await visit.take();
  finder.clear();
  visit.answer(id, found(1));
  await finding;
  expect([finder.findings.phase, ids(finder.findings)]).toEqual(["idle", []]);
});
