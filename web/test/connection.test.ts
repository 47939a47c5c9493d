import { afterEach, beforeEach, expect, test } from "vitest";

import type { ConnectionOptions } from "../src/client/connection.ts";
import { LiveClient } from "../src/client/live.ts";
import { CAT, found, ScriptedServer } from "./scripted-server.ts";

let server: ScriptedServer;
let live: LiveClient;

beforeEach(async () => {
  server = await new ScriptedServer().start();
});

afterEach(async () => {
  live.close();
  await server.stop();
});

function connect(options: Partial<ConnectionOptions> = {}): LiveClient {
  live = new LiveClient({ ...server.options, ...options });
  live.connect();
  return live;
}

const stateOf = (client: LiveClient, wanted: string): Promise<void> =>
  new Promise((resolve) => {
    if (client.state === wanted) resolve();
    client.onState((state) => state === wanted && resolve());
  });

test("a key goes first, in a frame and never in the address", async () => {
  connect({ key: () => "secret" });
  const visit = await server.visit();
  expect(await visit.heard.next()).toEqual({ op: "hello", key: "secret" });
  expect(visit.query.size).toBe(0);
});

test("nothing is sent before the welcome", async () => {
  const client = connect();
  const visit = await server.visit();
  const searching = client.search(CAT);
  expect(visit.heard.size).toBe(0);
  visit.welcome();
  visit.answer((await visit.take()).id, found(1));
  await searching;
});

test("a refused key ends the connecting and is told", async () => {
  const client = connect({ key: () => "wrong" });
  const denied = new Promise<void>((resolve) => void client.onDenied(resolve));
  await (await server.visit()).close(1008);
  await denied;
  await stateOf(client, "closed");
});

test("a refused connection can be made again with another key", async () => {
  let key = "wrong";
  const client = connect({ key: () => key });
  await (await server.visit()).close(1008);
  await stateOf(client, "closed");
  key = "right";
  client.connect();
  const visit = await server.visit();
  expect(await visit.heard.next()).toEqual({ op: "hello", key: "right" });
});

test("a server that does not say welcome is left for another attempt", async () => {
  const client = connect({ welcomeWithinMs: 50 });
  await server.visit();
  (await server.visit()).welcome();
  await stateOf(client, "open");
});

test("a connection that fell silent is found out and made again", async () => {
  const client = connect({ pingEveryMs: 20 });
  const visit = await server.welcomed();
  expect((await visit.heard.next()).op).toBe("ping");
  const again = await server.visit();
  again.welcome("s1", { recovered: true });
  await stateOf(client, "open");
});

test("frames that are no frames are passed over", async () => {
  const client = connect();
  const visit = await server.welcomed();
  const searching = client.search(CAT);
  const { id } = await visit.take();
  for (const text of ["{", "null", "[]", '"x"', '{"op":"later"}', "{}"]) visit.raw(text);
  visit.answer(id, found(3));
  expect((await searching).hits?.[0]?.id).toBe(3);
});

test("a closed client stays closed and forgets its session", async () => {
  const client = connect();
  await server.welcomed();
  await stateOf(client, "open");
  client.close();
  expect([client.state, client.session]).toEqual(["closed", null]);
  client.connect();
  expect((await server.visit()).query.size).toBe(0);
});
