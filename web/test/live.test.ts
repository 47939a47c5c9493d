import { afterEach, beforeEach, expect, test } from "vitest";

import type { ConnectionState } from "../src/client/connection.ts";
import { LiveClient } from "../src/client/live.ts";
import { CAT, DOG, found, ScriptedServer } from "./scripted-server.ts";

let server: ScriptedServer;
let live: LiveClient;

beforeEach(async () => {
  server = await new ScriptedServer().start();
  live = new LiveClient(server.options);
});

afterEach(async () => {
  live.close();
  await server.stop();
});

const problemOf = (searching: Promise<unknown>): Promise<string> =>
  searching.then(
    () => "no problem",
    (error: unknown) => (error as { problem: { type: string } }).problem.type,
  );

test("a search is answered", async () => {
  live.connect();
  const searching = live.search(CAT);
  const visit = await server.welcomed();
  const { id, search } = await visit.take();
  expect(search).toEqual(CAT);
  visit.answer(id, found(7));
  expect((await searching).hits).toEqual([{ id: 7, score: 0.3 }]);
});

test("a search with a slot names the session", async () => {
  live.connect();
  void live.search(CAT, { slot: "main" }).catch(() => undefined);
  const visit = await server.welcomed();
  expect((await visit.take()).search).toEqual({ ...CAT, slot: "main", session: "s1" });
});

test("a newer search of a slot takes the place of an older one, whose late answer changes nothing", async () => {
  live.connect();
  const visit = await server.welcomed();
  const older = problemOf(live.search(CAT, { slot: "main" }));
  const first = await visit.take();
  const newer = live.search(DOG, { slot: "main" });
  const second = await visit.take();
  visit.answer(second.id, found(2));
  visit.answer(first.id, found(1));
  expect(await older).toBe("superseded");
  expect((await newer).hits?.[0]?.id).toBe(2);
});

test("what was superseded before the connection stood is never sent", async () => {
  live.connect();
  const older = problemOf(live.search(CAT, { slot: "main" }));
  const newer = live.search(DOG, { slot: "main" });
  const visit = await server.welcomed();
  const only = await visit.take();
  expect(only.search.query?.text).toBe("dog");
  visit.answer(only.id, found(2));
  await newer;
  expect(await older).toBe("superseded");
});

test("searches of different slots do not touch each other", async () => {
  live.connect();
  const visit = await server.welcomed();
  const one = live.search(CAT, { slot: "left" });
  const two = live.search(DOG, { slot: "right" });
  visit.answer((await visit.take()).id, found(1));
  visit.answer((await visit.take()).id, found(2));
  expect([(await one).hits?.[0]?.id, (await two).hits?.[0]?.id]).toEqual([1, 2]);
});

test("a failed job is the search's problem", async () => {
  live.connect();
  const visit = await server.welcomed();
  const searching = problemOf(live.search(CAT));
  const { id } = await visit.take();
  visit.say({ op: "result", id, seq: "1", job: "j", state: "failed", error: { type: "store-away", title: "x", status: 503 } });
  expect(await searching).toBe("store-away");
});

test("a job that ended without a result or an error says how it ended", async () => {
  live.connect();
  const visit = await server.welcomed();
  const searching = problemOf(live.search(CAT));
  const { id } = await visit.take();
  visit.say({ op: "result", id, seq: "1", job: "j", state: "expired" });
  expect(await searching).toBe("expired");
});

test("a refused search is its own problem alone", async () => {
  live.connect();
  const visit = await server.welcomed();
  const bad = problemOf(live.search(CAT));
  const good = live.search(DOG);
  const first = await visit.heard.next();
  visit.say({ op: "error", id: first.id, error: { type: "collection-not-found", title: "x", status: 404 } });
  visit.answer((await visit.take()).id, found(2));
  expect(await bad).toBe("collection-not-found");
  expect((await good).hits?.[0]?.id).toBe(2);
});

test("a search that is too large for the server is not sent again", async () => {
  live.connect();
  const searching = problemOf(live.search(CAT));
  const visit = await server.welcomed();
  await visit.heard.next();
  await visit.close(1009);
  expect(await searching).toBe("too-large");
  expect((await server.welcomed()).heard.size).toBe(0);
});

test("a search without an answer in time is given up, and its job cancelled", async () => {
  live.connect();
  const visit = await server.welcomed();
  const searching = problemOf(live.search(CAT, { timeoutMs: 500 }));
  const { id } = await visit.take();
  expect(await searching).toBe("timed-out");
  expect(await visit.heard.next()).toEqual({ op: "cancel", job: `job-${id}` });
});

test("a search can be taken back", async () => {
  live.connect();
  const visit = await server.welcomed();
  const stop = new AbortController();
  const searching = problemOf(live.search(CAT, { signal: stop.signal }));
  await visit.take();
  stop.abort();
  expect(await searching).toBe("cancelled");
  expect(await problemOf(live.search(CAT, { signal: stop.signal }))).toBe("cancelled");
});

test("more searches than the bound are refused on this side", async () => {
  const open = Array.from({ length: 64 }, () => problemOf(live.search(CAT)));
  expect(await problemOf(live.search(CAT))).toBe("too-many-requests");
  live.close();
  expect(new Set(await Promise.all(open))).toEqual(new Set(["closed"]));
});

test("the state is told as it changes", async () => {
  const states: ConnectionState[] = [];
  const back = new Promise<void>((resolve) => {
    live.onState((state) => {
      states.push(state);
      if (states.length === 4) resolve();
    });
  });
  live.connect();
  (await server.welcomed()).drop();
  await server.visit();
  await back;
  expect(states.slice(0, 3)).toEqual(["connecting", "open", "reconnecting"]);
});
