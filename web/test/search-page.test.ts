import { expect, test } from "vitest";

import type { Later } from "../src/search/address.ts";
import { NOWHERE, readPlace, writePlace } from "../src/search/address.ts";
import { filterOf, UNFILTERED } from "../src/search/conditions.ts";
import { likelyOf } from "../src/search/grid.tsx";
import type { Corner } from "../src/search/grid-keys.ts";
import { ABOVE, step } from "../src/search/grid-keys.ts";
import type { Change, Held } from "../src/search/held.ts";
import { changed, changesOf, NOTHING } from "../src/search/held.ts";
import { excluded, groupOf, markOf, sawAll, toggled, toggledGroup, toggledValue } from "../src/search/marks.ts";
import { placeOf, wordsOf } from "../src/search/past.ts";
import { base64Of } from "../src/search/picture-query.ts";
import type { Collection } from "../src/client/contract.ts";
import { choose } from "../src/search/use-collections.ts";
import { queryOf, requestOf } from "../src/search/use-finder.ts";

const NO_QUERY = { text: "", item: null, image: null, good: [], bad: [] };

const collection = (name: string): Collection => ({
  name,
  count: 1,
  model: "demo",
  dim: 4,
  group_field: null, order_field: null,
  payload: {},
  created_at: "2026-11-21T09:00:00.000Z",
  generation: 0,
  model_name: "default",
});

test.each([
  { text: "a happy cat", item: null, collection: "pictograms" },
  { text: "100 % & more?", item: null, collection: null },
  { text: "", item: 9007199254740991, collection: "my_photos-2" },
  { text: "red", item: 0, collection: null },
  { text: "cat", then: [{ text: "apple", withinS: 30 }, { text: "guitar", withinS: 5 }, { text: "bus", withinS: 30 }] },
  { text: "cat", then: [{ text: "apple", withinS: 30 }] },
  { good: [1, 2], bad: [3], grouped: true, where: [["album", "a:b, c"], ["year", 1999], ["open", true]] as const },
  { text: "cat", areas: [["a:b", { point: { lat: 47.37, lon: -8.54 }, km: 0.5 }], ["place", { from: { lat: -1, lon: 170 }, to: { lat: 0.25, lon: -170.5 } }]] as const },
  { text: "cat", ranges: [["a:b", { from: -1.5, to: null }], ["year", { from: 1990, to: 2000 }], ["taken", { from: null, to: "2024-02-29" }]] as const },
  { text: "cat", ranges: [["a:b", { from: "2024-02-29T23:59", to: null }], ["taken", { from: "2024-02-29T00:00", to: "2024-02-29" }]] as const },
])("a place survives its address: %o", (part) => {
  const place = { ...NOWHERE, ...part };
  expect(readPlace(writePlace(place))).toEqual(place);
});

test("steps without words are neither asked for nor told, and three are the most", () => {
  const later = (text: string): Later => ({ text, withinS: 9 });
  const place = { ...NOWHERE, text: "a", then: [later(" "), later(" b ")] };
  expect(writePlace(place)).toBe("?q=a&then=b&within=9");
  expect(requestOf({ ...place, collection: "c", image: null, groupBy: "video" })?.then).toEqual([{ query: { text: "b" }, within_s: 9 }]);
  expect(readPlace("?q=a&then=b&then=c&then=d&then=e").then.map(({ text }) => text)).toEqual(["b", "c", "d"]);
});

test("a filter in the address that is none is passed over", () => {
  expect(readPlace("?f=a&f=:1&f=b:{}&f=c:1&like=x,1,-2,9007199254740993").where).toEqual([["c", 1]]);
  expect(readPlace("?like=x,1,-2,9007199254740993").good).toEqual([1]);
});

/** What is held after changes, as a client makes them, of what a session holds. */
const after = (held: Held, ...changes: Change[]): Held =>
  changes.reduce((before, change) => changed(before, changesOf(before, change), null), held);

test("a picture has one mark, and the same one again takes it away", () => {
  const good = after(NOTHING, toggled(NOTHING, "good", 7));
  expect([markOf(good, 7)?.mark, markOf(good, 8)]).toEqual(["good", null]);
  const bad = after(good, toggled(good, "bad", 7));
  expect([bad.positive.size, markOf(bad, 7)?.mark]).toEqual([0, "bad"]);
  const hidden = after(bad, toggled(bad, "hidden", 7));
  expect([hidden.negative.size, markOf(hidden, 7)?.mark]).toEqual([0, "hidden"]);
  expect(after(hidden, toggled(hidden, "hidden", 7))).toEqual(NOTHING);
});

test("what scores less than the line is less likely; a line further on, or none, divides nothing", () => {
  const hits = [0.4, 0.3, 0.2].map((score, id) => ({ id, score }));
  expect([0.5, 0.3, 0.25, 0.2, null].map((line) => likelyOf(hits, line))).toEqual([0, 2, 2, 3, 3]);
});

test("a hidden group hides its pictures, and both are left out with what was seen", () => {
  const held = after(NOTHING, toggled(NOTHING, "hidden", 1), toggledGroup(NOTHING, "v1"), { seen: { add: [5] } });
  expect(markOf(held, 2, "v1")).toEqual({ mark: "hidden", by: null });
  expect(markOf(held, 2, "v2")).toBeNull();
  expect(excluded(held)).toEqual({ ids: [5, 1], groups: ["v1"] });
  expect(excluded(NOTHING)).toEqual({});
  expect(groupOf({ id: 1, payload: { v: "v1" } }, "v")).toBe("v1");
});

test("what is seen is what is neither marked nor seen already", () => {
  const held = after(NOTHING, { seen: { add: [1] }, positive: { add: [2] }, exclude: { add: [3] } });
  expect(sawAll(held, [1, 2, 3, 4])).toEqual({ seen: { add: [4] } });
  expect(sawAll(held, [1, 2])).toEqual({});
  expect(after(held, { clear: ["positive", "seen"] })).toEqual({ ...held, positive: new Map(), seen: new Map() });
});

test.each([
  { text: "a happy cat", good: [1], bad: [2], grouped: true, where: [["album", "a"], ["album", "b"], ["year", 1999]] as const, ranges: [["year", { from: 1990, to: 2000 }], ["taken", { from: "2026-11-21", to: "2026-12-31" }]] as const },
  { item: 7 },
  { text: "a", then: [{ text: "b", withinS: 30 }, { text: "c", withinS: 4 }] },
])("a query of the past leads to the place that asked it: %o", (part) => {
  const place = { ...NOWHERE, collection: "pictograms", ...part };
  const request = requestOf({ ...place, image: null, groupBy: place.grouped ? "album" : null });
  const past = { at: "", job: "j", collection: "pictograms", by: null, slot: null, picture: false, search: { ...request } };
  expect(placeOf(past)).toEqual(place);
});

test("a query of the past is told in words", () => {
  const past = { at: "", job: "j", collection: "c", by: null, slot: null, picture: true, search: { query: { text: "sea", positive: [1, 2] } } };
  expect(wordsOf(past)).toBe("sea · a picture of one's own · 2 examples");
  expect(wordsOf({ ...past, picture: false, search: null })).toBe("a query too large to be kept");
});

test("values of one field are alternatives, those of several must all be met", () => {
  const where = toggledValue(toggledValue(toggledValue([], "a", 1), "b", "x"), "a", 2);
  expect(filterOf({ ...UNFILTERED, where })).toEqual({ must: [{ key: "a", match: [1, 2] }, { key: "b", match: ["x"] }] });
  expect(toggledValue(where, "b", "x")).toEqual([["a", 1], ["a", 2]]);
  expect(filterOf(UNFILTERED)).toBeNull();
});

test("an empty place is the page itself", () => {
  expect(writePlace({ ...NOWHERE, text: "  " })).toBe("./");
});

test.each(["?item=-1", "?item=1.5", "?item=9007199254740993", "?item=x", "?item="])("%s names no item", (search) => {
  expect(readPlace(search).item).toBeNull();
});

test("a text in the address is cut where the API would refuse it", () => {
  expect(readPlace(`?q=${"x".repeat(2_000)}`).text).toHaveLength(1_000);
});

const corners = (...rows: number[]): Corner[] =>
  rows.flatMap((count, row) => Array.from({ length: count }, (_, column) => ({ left: 100 * column, top: 100 * row })));

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
  expect(step(key, from, corners(3, 3, 1))).toBe(to);
});

test.each([
  ["ArrowDown", 0, 3],
  ["ArrowDown", 2, 4],
  ["ArrowDown", 3, 5],
  ["ArrowDown", 4, 6],
  ["ArrowUp", 5, 3],
  ["ArrowUp", 7, 4],
  ["ArrowUp", 4, 1],
])("%s from %i keeps its column where a line ends the second row of three after two tiles: %o", (key, from, to) => {
  expect(step(key, from, corners(3, 2, 3))).toBe(to);
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
  expect(queryOf({ ...NO_QUERY, text: " red ", item: 0, image: null })).toEqual({ text: "red", item: 0 });
  expect(queryOf({ ...NO_QUERY, text: "", item: null, image: "aGk=" })).toEqual({ image: "aGk=" });
  expect(queryOf({ ...NO_QUERY, good: [1], bad: [2] })).toEqual({ positive: [1], negative: [2] });
  expect(queryOf({ ...NO_QUERY, bad: [2] })).toBeNull();
  expect(queryOf({ ...NO_QUERY, text: "  ", item: null, image: null })).toBeNull();
});

test("a picture of many bytes becomes base64 without running out of stack", () => {
  const bytes = Uint8Array.from({ length: 300_001 }, (_, index) => index % 256);
  expect(base64Of(bytes.buffer)).toBe(Buffer.from(bytes).toString("base64"));
});
