import { expect, test } from "vitest";

import type { Document } from "../src/docs/openapi.ts";
import { groupsOf, isDocument, resolve } from "../src/docs/openapi.ts";
import { boundsOf, typeOf } from "../src/docs/schema-text.ts";

const DOCUMENT: Document = {
  info: { title: "Clipline", version: "1" },
  paths: {
    "/v1/jobs/{id}": {
      parameters: [{ $ref: "#/components/parameters/Id" }],
      get: { summary: "One job" },
      delete: { parameters: [{ name: "why", in: "query" }] },
    },
    "/v1/search": { post: { tags: ["searching"] } },
    "/openapi.json": { get: {} },
    "/": { get: {} },
  },
  components: { parameters: { Id: { name: "id", in: "path", required: true } }, schemas: { "a/b": { type: "string" } } },
};

test("calls are grouped by tag, or by what their path speaks of", () => {
  const groups = groupsOf(DOCUMENT).map(({ name, calls }) => [name, calls.map(({ method }) => method)]);
  expect(groups).toEqual([
    ["jobs", ["get", "delete"]],
    ["searching", ["post"]],
    ["openapi", ["get"]],
    ["pages", ["get"]],
  ]);
});

test("a path's parameters belong to each of its calls, references resolved", () => {
  const [jobs] = groupsOf(DOCUMENT);
  expect(jobs?.calls.map(({ parameters }) => parameters.map(({ name }) => name))).toEqual([["id"], ["id", "why"]]);
});

test("each call has an anchor of its own", () => {
  const ids = groupsOf(DOCUMENT).flatMap(({ calls }) => calls.map(({ id }) => id));
  expect(new Set(ids).size).toBe(ids.length);
});

test("a reference that leads nowhere stays what it is", () => {
  const lost = { $ref: "#/components/schemas/Lost" };
  expect(resolve(DOCUMENT, lost)).toBe(lost);
  expect(resolve(DOCUMENT, { $ref: "#/components/schemas/a~1b" })).toEqual({ type: "string" });
});

test.each([
  [{ minimum: 1, maximum: 1_000 }, ["1 to 1,000"]],
  [{ minLength: 1 }, ["at least 1 characters"]],
  [{ maxItems: 100_000, default: [] }, ["at most 100,000 items", "default []"]],
  [{ exclusiveMinimum: 0, maximum: 30 }, ["at most 30", "over 0"]],
  [{ anyOf: [{ type: "string", maxLength: 9 }, { type: "null" }], default: null }, ["at most 9 characters"]],
  [{ pattern: "^a$" }, ["matches ^a$"]],
])("bounds of %o", (schema, bounds) => {
  expect(boundsOf(schema)).toEqual(bounds);
});

test.each([
  [{ type: ["integer", "null"] }, "integer or null"],
  [{ enum: ["a", 1] }, '"a" | 1'],
  [{ const: "search" }, '"search"'],
  [{ type: "string", format: "date-time" }, "string (date-time)"],
  [{ properties: {} }, "object"],
  [{}, "any"],
])("the type of %o is %s", (schema, text) => {
  expect(typeOf(schema)).toBe(text);
});

test("what is no description is not taken for one", () => {
  expect([isDocument(DOCUMENT), isDocument({ paths: {} }), isDocument(null), isDocument("x")]).toEqual([true, false, false, false]);
});
