/** A job's steps as an async iterator, and the helpers that hand it out. */

import { afterEach, beforeEach, expect, test } from "vitest";

import { Clipline } from "../src/client/clipline.ts";
import type { JobState, Search, SearchResult } from "../src/client/contract.ts";
import type { JobFrame } from "../src/client/feed.ts";
import { Feed } from "../src/client/feed.ts";
import { LiveClient } from "../src/client/live.ts";
import { connectionClosed, problemOf } from "../src/client/problem.ts";
import { Typeahead } from "../src/client/typeahead.ts";
import { CAT, found, ScriptedServer } from "./scripted-server.ts";

const event = (seq: number, state: JobState, at: string | null = null): JobFrame => ({
  op: "event",
  id: "c1",
  seq: String(seq).padStart(5, "0"),
  job: "j1",
  state,
  at,
});

const result = (seq: number): JobFrame => ({ op: "result", id: "c1", seq: String(seq).padStart(5, "0"), job: "j1", state: "succeeded" });

async function statesOf(feed: AsyncIterable<JobFrame>): Promise<string[]> {
  const states: string[] = [];
  for await (const { state } of feed) states.push(state);
  return states;
}

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

test("what is told again after a reconnect is no news, but a result is in any case", async () => {
  const feed = new Feed();
  for (const frame of [event(3, "queued"), event(5, "running"), event(9, "running", "later"), event(4, "queued")]) feed.put(frame);
  feed.put(result(1));
  feed.put(event(99, "queued"));
  expect(await statesOf(feed)).toEqual(["queued", "running", "succeeded"]);
});

test("a feed that nobody reads keeps the newest steps and the end", async () => {
  const feed = new Feed();
  for (let seq = 0; seq < 1_000; seq += 1) feed.put(event(seq, seq % 2 === 0 ? "queued" : "running"));
  feed.put(result(1_000));
  const states = await statesOf(feed);
  expect(states).toHaveLength(256);
  expect(states.at(-1)).toBe("succeeded");
});

test("who waits is served as soon as something comes, each in turn", async () => {
  const feed = new Feed();
  const both = [feed.next(), feed.next(), feed.next()];
  feed.put(event(1, "queued"));
  feed.put(result(2));
  expect((await Promise.all(both)).map(({ done, value }) => [done, value?.state])).toEqual([
    [false, "queued"],
    [false, "succeeded"],
    [true, undefined],
  ]);
});

test("a feed that fails tells first what came before", async () => {
  const feed = new Feed();
  feed.put(event(1, "queued"));
  feed.fail(connectionClosed());
  expect((await feed.next()).done).toBe(false);
  await expect(feed.next()).rejects.toMatchObject({ problem: { type: "closed" } });
  expect((await feed.next()).done).toBe(true);
});

test("a job that is no longer followed is no longer watched", async () => {
  live.connect();
  const visit = await server.welcomed();
  const feed = live.follow("j1");
  expect(await visit.heard.next()).toEqual({ op: "watch", job: "j1" });
  visit.say(event(1, "running"));
  for await (const { state } of feed) if (state === "running") break;
  live.follow("j2");
  visit.drop();
  const again = await server.visit();
  again.welcome("s1", { recovered: true });
  expect(await again.heard.next()).toEqual({ op: "watch", job: "j2" });
});

test("a job that cannot be watched ends what follows it", async () => {
  live.connect();
  const visit = await server.welcomed();
  const following = statesOf(live.follow("j1"));
  await visit.heard.next();
  visit.say({ op: "error", job: "j1", error: { type: "job-not-found", title: "No such job", status: 404 } });
  await expect(following).rejects.toMatchObject({ problem: { type: "job-not-found" } });
});

test("a key that is refused ends what is open, as unauthorized", async () => {
  live.connect();
  const run = live.submit(CAT);
  const open = Promise.allSettled([live.search(CAT), run.result, statesOf(run), statesOf(live.follow("j1"))]);
  await (await server.visit()).close(1008);
  const reasons = (await open).map((one) => (one.status === "rejected" ? problemOf(one.reason).type : "answered"));
  expect(reasons).toEqual(Array(4).fill("unauthorized"));
});

test("a refused search is sent again when the server says so, if that is within patience", async () => {
  const busy = { type: "rate-limited", title: "x", status: 429, retry_after_s: 0 };
  const patient = new LiveClient({ ...server.options, patienceMs: 60_000 });
  patient.connect();
  const visit = await server.welcomed();
  const searching = patient.search(CAT);
  visit.say({ op: "error", id: (await visit.heard.next()).id ?? "", error: busy });
  const again = await visit.take();
  visit.answer(again.id, found(7));
  expect((await searching).hits?.[0]?.id).toBe(7);
  const hopeless = patient.search(CAT);
  visit.say({ op: "error", id: (await visit.heard.next()).id ?? "", error: { ...busy, retry_after_s: 3_600 } });
  await expect(hopeless).rejects.toMatchObject({ problem: { type: "rate-limited" } });
  patient.close();
});

test("a run that is taken back cancels its job, also when its signal says so", async () => {
  live.connect();
  const visit = await server.welcomed();
  const stop = new AbortController();
  const runs = [live.submit(CAT), live.submit(CAT, { signal: stop.signal })];
  const jobs = [(await visit.take()).id, (await visit.take()).id];
  for (const id of jobs) visit.say({ op: "event", id, seq: "1", job: `job-${id}`, state: "running" });
  for (const run of runs) await run[Symbol.asyncIterator]().next();
  runs[0]?.cancel();
  stop.abort();
  for (const [index, run] of runs.entries()) {
    await expect(run.result).rejects.toMatchObject({ problem: { type: "cancelled" } });
    expect(await visit.heard.next()).toEqual({ op: "cancel", job: `job-${jobs[index] ?? ""}` });
  }
});

test("two who type do not take each other's place, and other failures are theirs to see", async () => {
  live.connect();
  const visit = await server.welcomed();
  const [one, other] = [new Typeahead(live), new Typeahead(live)];
  const asked = [one, one, other].map((typing) => () => typing.ask(CAT));
  const answers: Promise<SearchResult | null>[] = [];
  const taken: { id: string; search: Search }[] = [];
  for (const ask of asked) {
    answers.push(ask());
    taken.push(await visit.take());
  }
  taken.forEach(({ id }, index) => visit.answer(id, found(index)));
  const [first, second, third] = taken.map(({ search }) => search.slot);
  expect([first === second, first === third]).toEqual([true, false]);
  expect((await Promise.all(answers)).map((answer) => answer?.hits?.[0]?.id ?? null)).toEqual([null, 1, 2]);
  const failing = other.ask(CAT);
  live.close();
  await expect(failing).rejects.toMatchObject({ problem: { type: "closed" } });
});

test("without any websocket a search says what to do about it", async () => {
  const before = globalThis.WebSocket as typeof globalThis.WebSocket | undefined;
  Reflect.deleteProperty(globalThis, "WebSocket");
  try {
    await expect(new Clipline({ url: "http://127.0.0.1:1" }).search(CAT)).rejects.toThrow("from the package ws");
  } finally {
    if (before !== undefined) globalThis.WebSocket = before;
  }
});

test("an address may have a path, with or without its last slash", () => {
  for (const url of ["https://example.org/pictures", "https://example.org/pictures/"]) {
    const { http } = new Clipline({ url });
    expect(http.mediaUrl("a", 1, "thumb")).toBe("https://example.org/pictures/v1/collections/a/items/1/media?size=thumb");
  }
});
