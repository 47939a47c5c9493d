import { expect, test } from "vitest";

import { readPlace, writePlace } from "../src/search/address.ts";
import { ABOVE, columnsOf, step } from "../src/search/grid-keys.ts";
import { base64Of } from "../src/search/picture-query.ts";
import type { Collection } from "../src/client/contract.ts";
import { choose } from "../src/search/use-collections.ts";
import { queryOf } from "../src/search/use-finder.ts";

const collection = (name: string): Collection => ({
  name,
  count: 1,
  model: "demo",
  dim: 4,
  group_field: null, order_field: null,
  payload: {},
  created_at: "2026-11-21T09:00:00.000Z",
  generation: 0,
});

test.each([
  { text: "a happy cat", item: null, collection: "pictograms" },
  { text: "100 % & more?", item: null, collection: null },
  { text: "", item: 9007199254740991, collection: "my_photos-2" },
  { text: "red", item: 0, collection: null },
])("a place survives its address: %o", (place) => {
  expect(readPlace(writePlace(place))).toEqual(place);
});

test("an empty place is the page itself", () => {
  expect(writePlace({ text: "  ", item: null, collection: null })).toBe("./");
});

test.each(["?item=-1", "?item=1.5", "?item=9007199254740993", "?item=x", "?item="])("%s names no item", (search) => {
  expect(readPlace(search).item).toBeNull();
});

test("a text in the address is cut where the API would refuse it", () => {
  expect(readPlace(`?q=${"x".repeat(2_000)}`).text).toHaveLength(1_000);
});

test("a grid's columns are the tiles of its first row", () => {
  expect(columnsOf([10, 10, 10, 90, 90])).toBe(3);
  expect(columnsOf([10, 10])).toBe(2);
  expect(columnsOf([])).toBe(1);
});

test.each([
  ["ArrowRight", 0, 1],
  ["ArrowRight", 6, null],
  ["ArrowLeft", 3, 2],
  ["ArrowLeft", 0, null],
  ["ArrowDown", 1, 4],
  ["ArrowDown", 5, 6],
  ["ArrowDown", 6, null],
  ["ArrowUp", 4, 1],
  ["ArrowUp", 2, ABOVE],
  ["Home", 5, 0],
  ["End", 0, 6],
  ["x", 0, null],
])("%s from %i of seven tiles in three columns leads to %o", (key, from, to) => {
  expect(step(key, from, { total: 7, columns: 3 })).toBe(to);
});

test("the sample collection is preferred, then the first, and the address before both", () => {
  const list = [collection("holidays"), collection("pictograms")];
  expect(choose(list, null)).toBe("pictograms");
  expect(choose([collection("holidays")], null)).toBe("holidays");
  expect(choose(list, "other")).toBe("other");
  expect(choose([], null)).toBeNull();
  expect(choose(null, null)).toBeNull();
});

test("a query holds the parts that are given", () => {
  expect(queryOf({ text: " red ", item: 0, image: null })).toEqual({ text: "red", item: 0 });
  expect(queryOf({ text: "", item: null, image: "aGk=" })).toEqual({ image: "aGk=" });
  expect(queryOf({ text: "  ", item: null, image: null })).toBeNull();
});

test("a picture of many bytes becomes base64 without running out of stack", () => {
  const bytes = Uint8Array.from({ length: 300_001 }, (_, index) => index % 256);
  expect(base64Of(bytes.buffer)).toBe(Buffer.from(bytes).toString("base64"));
});
