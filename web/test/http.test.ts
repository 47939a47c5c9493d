import { once } from "node:events";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

import { afterEach, beforeEach, expect, test } from "vitest";

import { Backoff } from "../src/client/backoff.ts";
import { HttpClient } from "../src/client/http.ts";
import type { Problem } from "../src/client/contract.ts";
import { problemOf } from "../src/client/problem.ts";

let server: Server;
let base: string;
let answer: (request: IncomingMessage, response: ServerResponse) => void;
let asked: IncomingMessage[];

beforeEach(async () => {
  asked = [];
  server = createServer((request, response) => {
    asked.push(request);
    answer(request, response);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});

afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const json = (status: number, body: unknown): void => {
  answer = (_, response) => response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
};

const problemIn = (asking: Promise<unknown>): Promise<Problem | null> => asking.then(() => null, problemOf);

test("the key travels in a header", async () => {
  json(200, { collections: [] });
  await new HttpClient({ base, key: () => "secret" }).collections();
  expect(asked[0]?.headers.authorization).toBe("Bearer secret");
  expect(asked[0]?.url).toBe("/v1/collections");
});

test("without a key there is no header", async () => {
  json(200, { collections: [{ name: "a", count: 1, model: null }] });
  expect(await new HttpClient({ base }).collections()).toHaveLength(1);
  expect(asked[0]?.headers.authorization).toBeUndefined();
});

test("only what is given filters the jobs", async () => {
  json(200, { jobs: [], next: null });
  await new HttpClient({ base }).jobs({ state: "", q: "red fruit", before: null, limit: 50 });
  expect(asked[0]?.url).toBe("/v1/jobs?q=red+fruit&limit=50");
});

test("names are escaped in addresses", async () => {
  json(200, {});
  await new HttpClient({ base }).job("a/b?c");
  expect(asked[0]?.url).toBe("/v1/jobs/a%2Fb%3Fc");
  expect(new HttpClient().mediaUrl("a b", 7, "thumb")).toBe("v1/collections/a%20b/items/7/media?size=thumb");
});

test("a problem is raised as it came", async () => {
  json(409, { type: "job-finished", title: "The job has already ended", status: 409, detail: "j1 ended" });
  const problem = await problemIn(new HttpClient({ base }).cancel("j1"));
  expect(problem).toMatchObject({ type: "job-finished", status: 409, detail: "j1 ended" });
  expect(asked[0]?.method).toBe("DELETE");
});

test("a proxy's own page becomes a problem with its status", async () => {
  answer = (_, response) => response.writeHead(502, "Bad Gateway").end("<h1>nginx</h1>");
  const problem = await problemIn(new HttpClient({ base }).workers());
  expect(problem).toMatchObject({ type: "http", title: "Bad Gateway", status: 502, retryable: true });
});

test("a server that is away is unreachable, and that can be tried again", async () => {
  const away = new HttpClient({ base: "http://127.0.0.1:1/" });
  expect(await problemIn(away.queues())).toMatchObject({ type: "unreachable", status: 0, retryable: true });
});

test("a request that was taken back is not called a failure of the server", async () => {
  const stop = new AbortController();
  answer = () => stop.abort();
  await expect(new HttpClient({ base }).queues(stop.signal)).rejects.toMatchObject({ name: "AbortError" });
});

const PATIENT = { patienceMs: 60_000, backoff: (): Backoff => new Backoff({ random: () => 0 }) };

/** The answers in turn, the last one for ever. */
const answers = (...statuses: number[]): void => {
  const left = [...statuses];
  answer = (_, response) => {
    const status = (left.length > 1 ? left.shift() : left[0]) ?? 200;
    const problem = { type: "rate-limited", title: "Too fast", status, retry_after_s: 0 };
    response.writeHead(status, { "content-type": "application/json", "retry-after": "0" });
    response.end(JSON.stringify(status === 200 ? { id: "j1", state: "succeeded", created_at: "now" } : problem));
  };
};

test("a server that is busy is asked again, within patience", async () => {
  answers(429, 503, 502, 200);
  expect((await new HttpClient({ base, ...PATIENT }).job("j1")).id).toBe("j1");
  expect(asked).toHaveLength(4);
  answers(429, 200);
  expect(await problemIn(new HttpClient({ base }).job("j1"))).toMatchObject({ status: 429, retry_after_s: 0 });
});

test("a refusal that no waiting mends is told at once", async () => {
  answers(404, 200);
  expect(await problemIn(new HttpClient({ base, ...PATIENT }).job("j1"))).toMatchObject({ status: 404 });
  expect(asked).toHaveLength(1);
});

test("a wish that goes beyond patience is not waited for", async () => {
  answer = (_, response) => response.writeHead(429, { "retry-after": "3600" }).end("");
  expect(await problemIn(new HttpClient({ base, ...PATIENT }).job("j1"))).toMatchObject({ retry_after_s: 3_600 });
});

test("who stops waiting is not kept waiting", async () => {
  answer = (_, response) => response.writeHead(503, { "retry-after": "30" }).end("");
  const stop = new AbortController();
  const asking = new HttpClient({ base, ...PATIENT }).job("j1", stop.signal);
  stop.abort();
  await expect(asking).rejects.toMatchObject({ name: "AbortError" });
});

test("a search that is repeated keeps its idempotency key, another has another", async () => {
  answers(503, 200);
  const client = new HttpClient({ base, ...PATIENT });
  await client.search({ collection: "a", query: { text: "b" } });
  await client.search({ collection: "a", query: { text: "b" } });
  const keys = asked.map(({ headers }) => headers["idempotency-key"]);
  expect(keys).toHaveLength(3);
  expect(keys[0]).toBe(keys[1]);
  expect(keys[2]).not.toBe(keys[0]);
  expect(asked[0]?.headers["content-type"]).toBe("application/json");
});

test("a job that does not end in time is given up", async () => {
  json(200, { id: "j1", state: "running", created_at: "now" });
  expect(await problemIn(new HttpClient({ base }).finished("j1", { timeoutMs: 20 }))).toMatchObject({ type: "timed-out" });
});

/** The answers in turn: of a lost one the connection, else the problem's type or, of a success, the job's state. */
const told = (...words: ("lost" | "gone" | "busy" | "job-finished" | "session-not-found" | "cancelled" | "succeeded")[]): void => {
  const left = [...words];
  answer = (_, response) => {
    const word = left.shift() ?? "gone";
    if (word === "lost") return void response.destroy();
    if (word === "gone") return void response.writeHead(204).end();
    const status = { busy: 429, "job-finished": 409, "session-not-found": 404 }[word as string] ?? 200;
    response.writeHead(status, { "content-type": "application/json", "retry-after": "0" });
    response.end(JSON.stringify(status === 200 ? { id: "j1", state: word } : { type: word, title: word, status }));
  };
};

test("what a repeated DELETE does not find any more was ended by the first, whose answer was lost", async () => {
  const http = new HttpClient({ base, ...PATIENT });
  told("lost", "session-not-found");
  await http.sessions.drop("s1");
  told("busy", "session-not-found");
  expect(await problemIn(http.sessions.drop("s1"))).toMatchObject({ type: "session-not-found" });
  told("lost", "job-finished", "cancelled");
  await http.cancel("j1");
  told("lost", "job-finished", "succeeded");
  expect(await problemIn(http.cancel("j1"))).toMatchObject({ type: "job-finished" });
});
