/** The client against a real API, Redis and worker. */

import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { WebSocket } from "ws";

import { Backoff } from "../src/client/backoff.ts";
import type { CliplineOptions } from "../src/client/clipline.ts";
import { Clipline } from "../src/client/clipline.ts";
import type { JobResult, SearchResult } from "../src/client/contract.ts";
import type { JobFrame } from "../src/client/feed.ts";
import { problemOf } from "../src/client/problem.ts";
import { Stand } from "./stand.ts";

const LONG_MS = 120_000;
const SEARCHES = 8;

vi.setConfig({ testTimeout: LONG_MS, hookTimeout: LONG_MS });

let stand: Stand;
let clipline: Clipline;

beforeAll(async () => {
  stand = await Stand.start();
});

afterAll(() => stand.stop());

beforeEach(async () => {
  await stand.tell("shut");
  clipline = connect();
});

afterEach(async () => {
  clipline.close();
  await stand.tell("open");
});

const connect = (options: Partial<CliplineOptions> = {}): Clipline =>
  new Clipline({ url: stand.url, WebSocket, backoff: () => new Backoff({ baseMs: 50, capMs: 200 }), ...options });

const about = (text: string, limit = 1): { collection: string; query: { text: string }; limit: number } => ({
  collection: "pictograms",
  query: { text },
  limit,
});

const labelOf = (found: SearchResult | null): unknown => found?.hits?.[0]?.payload?.label;

const typeOf = (asking: Promise<unknown>): Promise<string> =>
  asking.then(
    () => "no problem",
    (error: unknown) => problemOf(error).type,
  );

async function all(frames: AsyncIterable<JobFrame>): Promise<JobFrame[]> {
  const found: JobFrame[] = [];
  for await (const frame of frames) found.push(frame);
  return found;
}

/** The first frame that says so. */
async function reached(frames: AsyncIterator<JobFrame, undefined>, state: string): Promise<JobFrame> {
  for (;;) {
    const step = await frames.next();
    if (step.done) throw new Error(`it ended before it was ${state}`);
    if (step.value.state === state) return step.value;
  }
}

test("words bring hits, many at once each their own", async () => {
  const texts = Array.from({ length: 40 }, (_, number) => `picture ${number}`);
  const found = await Promise.all(texts.map((text) => clipline.search(about(text))));
  expect(found.map(labelOf)).toEqual(texts);
});

test("a search is followed step by step, to its result", async () => {
  const run = clipline.submit(about("a cat"));
  const frames = await all(run);
  expect([...new Set(frames.map(({ state }) => state))]).toEqual(["queued", "running", "succeeded"]);
  expect(labelOf((frames.at(-1) as JobResult).result as SearchResult)).toBe("a cat");
  expect(labelOf(await run.result)).toBe("a cat");
});

test("a job is followed by its id, and one that ended long ago is told at once", async () => {
  await clipline.search(about("long ago"));
  const [job] = (await clipline.http.jobs({ q: "long ago" })).jobs;
  const frames = await all(clipline.follow(job?.id ?? ""));
  expect(frames.map(({ op, state }) => [op, state])).toEqual([["result", "succeeded"]]);
  await expect(all(clipline.follow("nothing"))).rejects.toMatchObject({ problem: { type: "job-not-found" } });
});

test("a failed job and a refused search say why", async () => {
  expect(await typeOf(clipline.search(about("fail")))).toBe("bad-picture");
  expect(await typeOf(clipline.search({ ...about("x"), collection: "nothing" }))).toBe("collection-not-found");
});

test("of what is typed only the newest is answered, there as here", async () => {
  const typing = clipline.typeahead();
  const older = ["wait c", "wait ca", "wait cat"].map((text) => typing.ask(about(text)));
  const newest = typing.ask(about("cat"));
  expect(await Promise.all(older)).toEqual([null, null, null]);
  expect(labelOf(await newest)).toBe("cat");
});

test("a search that is taken back is cancelled at the server", async () => {
  const run = clipline.submit(about("wait to be cancelled"));
  const started = await reached(run[Symbol.asyncIterator](), "running");
  const watched = clipline.follow(started.job);
  await watched.next();
  run.cancel();
  expect(await typeOf(run.result)).toBe("cancelled");
  expect((await reached(watched, "cancelled")).op).toBe("result");
});

test("searches that run while the API is killed are answered when it is back, each once", async () => {
  const runs = Array.from({ length: SEARCHES }, (_, number) => clipline.submit(about(`wait ${number}`), { timeoutMs: LONG_MS }));
  const seen = runs.map((run) => run[Symbol.asyncIterator]());
  const jobs = (await Promise.all(seen.map((frames) => reached(frames, "running")))).map(({ job }) => job);
  await stand.tell("kill");
  await stand.tell("open");
  await stand.tell("start");
  const found = await Promise.all(runs.map(({ result }) => result));
  expect(found.map(labelOf)).toEqual(runs.map((_, number) => `wait ${number}`));
  for (const frames of seen) expect((await rest(frames)).filter((state) => state !== "running")).toEqual(["succeeded"]);
  const kept = await Promise.all(jobs.map((job) => clipline.http.job(job)));
  expect(kept.map(({ attempts }) => attempts)).toEqual(jobs.map(() => 1));
});

async function rest(frames: AsyncIterator<JobFrame, undefined>): Promise<string[]> {
  const states: string[] = [];
  for (let step = await frames.next(); !step.done; step = await frames.next()) states.push(step.value.state);
  return states;
}

test("what is asked while the API is away goes out when it is back", async () => {
  await clipline.search(about("before"));
  await stand.tell("kill");
  const asked = Promise.all([clipline.search(about("a"), { timeoutMs: LONG_MS }), clipline.http.collections()]);
  await stand.tell("start");
  const [found, collections] = await asked;
  expect(labelOf(found)).toBe("a");
  expect(collections.map(({ name }) => name)).toContain("pictograms");
});

test("a wrong key is refused, the right one is not", async () => {
  const stranger = connect({ url: stand.keyedUrl, key: "wrong" });
  expect(await typeOf(stranger.search(about("x")))).toBe("unauthorized");
  expect(await typeOf(stranger.http.collections())).toBe("unauthorized");
  stranger.close();
  const known = connect({ url: stand.keyedUrl, key: stand.key, patienceMs: LONG_MS });
  expect(labelOf(await known.search(about("x")))).toBe("x");
  known.close();
});

test("a limit is waited for as the server says, and no longer than patience", async () => {
  const patient = connect({ url: stand.keyedUrl, key: stand.key, patienceMs: LONG_MS });
  const texts = ["one", "two", "three"];
  const found = await Promise.all(texts.map((text) => patient.search(about(text), { timeoutMs: LONG_MS })));
  expect(found.map(labelOf)).toEqual(texts);
  patient.close();
  const hasty = connect({ url: stand.keyedUrl, key: stand.key, patienceMs: 0 });
  const outcomes = await Promise.all(Array.from({ length: 20 }, () => typeOf(hasty.search(about("hasty")))));
  expect(new Set(outcomes)).toContain("rate-limited");
  hasty.close();
});

test("everything else goes over HTTP: collections, pictures, jobs, queues", async () => {
  const { http } = clipline;
  await http.createCollection("films", { payload: { year: "integer" } });
  expect((await http.collection("films")).payload).toEqual({ year: "integer" });
  const pixel = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII=", "base64");
  const sent = await http.upload("films", [{ name: "a.png", data: new Blob([pixel]), payload: { year: 1999 } }]);
  expect(sent.result).toMatchObject({ added: 1 });
  expect((await http.ingest("films", [{ source: "b.png", path: "/pictures/b.png" }])).state).toBe("succeeded");
  expect((await http.item("films", 7)).payload).toEqual({ n: 7 });
  expect((await http.search({ ...about("over http"), collection: "films" })).state).toBe("succeeded");
  expect((await http.pauseQueue("bulk")).paused).toBe(true);
  expect((await http.resumeQueue("bulk")).paused).toBe(false);
  expect((await http.audit({ limit: 2 })).entries.map(({ action }) => action)).toEqual(["lane.resume", "lane.pause"]);
  expect(await http.workers()).toBeInstanceOf(Array);
  await http.dropCollection("films");
  expect(await typeOf(http.collection("films"))).toBe("collection-not-found");
});

test("sessions are listed and ended; whoever uses one hears of it, and goes on in a new one", async () => {
  const { http, live } = clipline;
  const own = await http.sessions.create();
  const heard: unknown[] = [];
  live.onSession((frame) => heard.push(frame?.ended === true ? frame.session : frame));
  await clipline.search(about("a cat"));
  const session = live.session;
  const page = await http.sessions.list({ limit: 1 });
  expect(page.sessions.map((one) => one.session)).toEqual([session]);
  expect((await http.sessions.list({ limit: 1, before: page.next })).sessions[0]?.session).toBe(own);
  await http.sessions.drop(session ?? "");
  await expect.poll(() => heard).toEqual([null, session]);
  expect(await typeOf(http.sessions.show(session ?? ""))).toBe("session-not-found");
  expect(labelOf(await clipline.search(about("a dog")))).toBe("a dog");
  expect(live.session).not.toBe(session);
});
