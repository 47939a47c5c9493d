/** The package as npm packs it: its types, and the example of its documentation, in Node. */

import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { afterAll, beforeAll, expect, test } from "vitest";

import { Stand } from "./stand.ts";

const LONG_MS = 180_000;
const WEB = fileURLToPath(new URL("..", import.meta.url));
const TSC = join(WEB, "node_modules/typescript/bin/tsc");
const STRICT = ["--noEmit", "--strict", "--target", "es2022", "--lib", "es2023,dom", "--module", "nodenext"];

const run = promisify(execFile);

let app: string;
let stand: Stand;

beforeAll(async () => {
  app = mkdtempSync(join(tmpdir(), "clipline-app-"));
  const started = Stand.start();
  await run(process.execPath, ["client/pack.mjs", app], { cwd: WEB });
  const installed = join(app, "node_modules/@clipline/client");
  mkdirSync(installed, { recursive: true });
  const [tarball = ""] = readdirSync(app).filter((name) => name.endsWith(".tgz"));
  await run("tar", ["-xzf", join(app, tarball), "-C", installed, "--strip-components=1"]);
  symlinkSync(join(WEB, "node_modules/ws"), join(app, "node_modules/ws"));
  writeFileSync(join(app, "package.json"), '{"type": "module"}');
  stand = await started;
}, LONG_MS);

afterAll(async () => {
  await stand.stop();
  rmSync(app, { recursive: true });
}, LONG_MS);

test("it holds its code, its types, its licence, and nothing else", () => {
  const packed = join(app, "node_modules/@clipline/client");
  expect(readdirSync(packed).sort()).toEqual(["LICENSE", "README.md", "dist", "package.json"]);
  const kinds = new Set(readdirSync(join(packed, "dist")).map((name) => name.replace(/^[^.]+/, "")));
  expect([...kinds].sort()).toEqual([".d.ts", ".js"]);
  expect(JSON.parse(readFileSync(join(packed, "package.json"), "utf8"))).not.toHaveProperty("dependencies");
});

test("its types hold where it is used", async () => {
  const lines = [
    'import { Clipline, ProblemError, type Job, type SearchResult } from "@clipline/client";',
    'const clipline = new Clipline({ url: "http://127.0.0.1:8000" });',
    'const found: SearchResult = await clipline.search({ collection: "a", query: { text: "b" } });',
    'const dead: Job[] = (await clipline.http.jobs({ state: "dead" })).jobs;',
    "for await (const { seq } of clipline.submit({ collection: 'a', query: {} })) seq satisfies string;",
    "export const history = dead.map(({ history }) => history[0]?.problem.title);",
    "// @ts-expect-error: hits are not a number",
    "export const wrong: number = found.hits;",
    "// @ts-expect-error: a search names its collection",
    "clipline.search({ query: {} }).catch((error) => error instanceof ProblemError);",
  ];
  writeFileSync(join(app, "main.ts"), lines.join("\n"));
  await expect(run(process.execPath, [TSC, ...STRICT, "main.ts"], { cwd: app })).resolves.toBeDefined();
}, LONG_MS);

test("its documentation's example does what it says", async () => {
  const document = readFileSync(join(WEB, "../docs/clients.md"), "utf8");
  const example = /^```js\n(.*?)^```/ms.exec(document)?.[1] ?? "";
  expect(example.trimEnd().split("\n").length).toBeLessThanOrEqual(15);
  writeFileSync(join(app, "example.mjs"), example.replace("http://127.0.0.1:8000", stand.url));
  const { stdout, stderr } = await run(process.execPath, ["example.mjs"], { cwd: app });
  const told = stdout.trimEnd().split("\n");
  expect(told.slice(0, 3)).toEqual(["1.00 red fruit", "1.00 red fruit", "1.00 red fruit"]);
  expect([...new Set(told.slice(3, -3))]).toEqual(["queued", "running", "succeeded"]);
  expect(told.slice(-3)).toEqual(["a newer one took its place", "a newer one took its place", "24"]);
  expect(stderr).toBe("");
}, LONG_MS);
