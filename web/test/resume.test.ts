/** A connection that was lost: what was open is answered all the same, and asked again only where it must be. */

import { afterEach, beforeEach, expect, test } from "vitest";

import type { JobEvent, JobResult } from "../src/client/contract.ts";
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

test("after a lost connection the session resumes after the last frame, and the answer arrives", async () => {
  live.connect();
  const searching = live.search(CAT);
  const visit = await server.welcomed();
  const { id } = await visit.take();
  visit.say({ op: "event", id, seq: "41", job: `job-${id}`, state: "running" });
  visit.drop();
  const again = await server.visit();
  again.welcome("s1", { recovered: true, seq: "99" });
  again.answer(id, found(7), "42");
  expect((await searching).hits?.[0]?.id).toBe(7);
  expect(Object.fromEntries(again.query)).toEqual({ session: "s1", after: "41" });
  expect(again.heard.size).toBe(0);
});

test("a connection that is lost during a replay resumes at the replay's place, not at its end", async () => {
  live.connect();
  const visit = await server.welcomed();
  visit.drop();
  const second = await server.visit();
  second.welcome("s1", { recovered: true, seq: "99" });
  second.drop();
  expect((await server.visit()).query.get("after")).toBe("0");
});

test("what was not accepted is asked again after a reconnect", async () => {
  live.connect();
  const searching = live.search(CAT);
  const visit = await server.welcomed();
  const first = await visit.heard.next();
  visit.drop();
  const again = await server.visit();
  again.welcome("s1", { recovered: true });
  const second = await again.take();
  expect(second.id).not.toBe(first.id);
  expect(second.key).toBe(first.key);
  expect(first.key).toMatch(/^[0-9a-f-]{32,}$/);
  again.answer(second.id, found(7));
  expect((await searching).hits?.[0]?.id).toBe(7);
});

test("what was asked again and accepted, and then lost once more, is asked anew: its end may have gone by", async () => {
  live.connect();
  const searching = live.search(CAT);
  const visit = await server.welcomed();
  const first = await visit.heard.next();
  visit.drop();
  const again = await server.visit();
  again.welcome("s1", { recovered: true });
  await again.take();
  await again.arrived();
  again.drop();
  const third = await server.visit();
  third.welcome("s1", { recovered: true });
  const last = await third.take();
  expect(last.key).toBe(first.key);
  third.answer(last.id, found(7));
  expect((await searching).hits?.[0]?.id).toBe(7);
});

test("what was accepted without our hearing of it is told by the replay, and not asked again", async () => {
  live.connect();
  const searching = live.search(CAT);
  const visit = await server.welcomed();
  const { id = "" } = await visit.heard.next();
  visit.drop();
  const again = await server.visit();
  again.welcome("s1", { recovered: true });
  again.say({ op: "event", id, seq: "41", job: `job-${id}`, state: "queued" });
  const newer = live.search(DOG);
  const other = await again.take();
  expect(other.search.query?.text).toBe("dog");
  again.answer(other.id, found(2));
  again.answer(id, found(7), "42");
  expect((await searching).hits?.[0]?.id).toBe(7);
  expect((await newer).hits?.[0]?.id).toBe(2);
  expect(again.heard.size).toBe(0);
});

test("what a session could not recover is asked again, and the old asking's end is not taken for an answer", async () => {
  live.connect();
  const searching = live.search(CAT, { slot: "main" });
  const visit = await server.welcomed();
  const first = await visit.take();
  visit.drop();
  const again = await server.visit();
  again.welcome("s2");
  const second = await again.take();
  again.say({ op: "result", id: first.id, seq: "5", job: "old", state: "superseded" });
  again.answer(second.id, found(7), "6");
  expect((await searching).hits?.[0]?.id).toBe(7);
  expect(second.search.session).toBe("s2");
});

test("a session that the server forgot is replaced by a new one", async () => {
  live.connect();
  const searching = live.search(CAT, { slot: "main" });
  const visit = await server.welcomed();
  const first = await visit.heard.next();
  visit.say({ op: "error", id: first.id, error: { type: "session-not-found", title: "x", status: 404 } });
  const again = await server.visit();
  expect(again.query.has("session")).toBe(false);
  again.welcome("s2");
  again.answer((await again.take()).id, found(7));
  expect((await searching).hits?.[0]?.id).toBe(7);
});

test("a watched job is watched again after a reconnect", async () => {
  live.connect();
  const visit = await server.welcomed();
  const seen: string[] = [];
  const ended = new Promise<void>((resolve) => {
    live.watch("j1", (frame: JobEvent | JobResult) => {
      seen.push(frame.state);
      if (frame.op === "result") resolve();
    });
  });
  expect(await visit.heard.next()).toEqual({ op: "watch", job: "j1" });
  visit.say({ op: "event", id: null, seq: "1", job: "j1", state: "running" });
  visit.drop();
  const again = await server.welcomed();
  expect(await again.heard.next()).toEqual({ op: "watch", job: "j1" });
  again.say({ op: "result", id: null, seq: "2", job: "j1", state: "succeeded" });
  await ended;
  expect(seen.at(-1)).toBe("succeeded");
});

const CHANGE = { op: "session", session: "team", collection: "pictograms", by: "Ann" } as const;

test("what becomes of the session is told, replayed after a loss, and where that is not possible it is to be read", async () => {
  const told: (number | null | undefined)[] = [];
  live.onSession((frame) => told.push(frame === null ? null : frame.revision));
  live.connect();
  const visit = await server.welcomed();
  visit.say({ ...CHANGE, seq: "41", revision: 1, changes: [{ set: "positive", add: [3], remove: [] }] });
  visit.say({ op: "pong" });
  await expect.poll(() => told).toEqual([null, 1]);
  visit.drop();
  const second = await server.visit();
  expect(Object.fromEntries(second.query)).toEqual({ session: "s1", after: "41" });
  second.welcome("s1", { recovered: true, seq: "99" });
  second.say({ ...CHANGE, seq: "42", revision: 2 });
  await expect.poll(() => told).toEqual([null, 1, 2]);
  second.drop();
  const third = await server.visit();
  expect(third.query.get("after")).toBe("42");
  third.welcome("s1", { recovered: false, seq: "120" });
  await expect.poll(() => told).toEqual([null, 1, 2, null]);
});

test("a client goes on in the session that it was given, and reads it first", async () => {
  const told: unknown[] = [];
  const own = new LiveClient({ ...server.options, session: "s7" });
  own.onSession((frame) => told.push(frame));
  own.connect();
  const visit = await server.visit();
  expect(Object.fromEntries(visit.query)).toEqual({ session: "s7" });
  visit.welcome("s7", { recovered: true, seq: "10" });
  await expect.poll(() => told).toEqual([null]);
  expect(own.session).toBe("s7");
  own.close();
});
