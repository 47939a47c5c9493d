import { expect, test } from "vitest";

import { readPlace } from "../src/search/address.ts";
import { filteredOf, filterOf, UNFILTERED } from "../src/search/conditions.ts";
import { wordsOf } from "../src/search/past.ts";
import type { Kind, Range } from "../src/search/ranges.ts";
import { boundsOf, kindOf, rangeOf, readRange, readTyped, withRange, wordsOfRange, writeRange } from "../src/search/ranges.ts";

const ROWS: readonly (readonly [Range, object, string])[] = [
  [{ from: 1990, to: 2000 }, { gte: 1990, lte: 2000 }, "f 1990 – 2000"],
  [{ from: -0.5, to: null }, { gte: -0.5 }, "f from -0.5"],
  [{ from: null, to: 0 }, { lte: 0 }, "f to 0"],
  [{ from: 1e21, to: 1e21 }, { gte: 1e21, lte: 1e21 }, "f 1e+21"],
  [{ from: "2024-02-28", to: "2024-02-28" }, { gte: "2024-02-28", lt: "2024-02-29" }, "f 2024-02-28"],
  [{ from: "2026-11-21", to: "2026-12-31" }, { gte: "2026-11-21", lt: "2027-01-01" }, "f 2026-11-21 – 2026-12-31"],
  [{ from: null, to: "9998-12-31" }, { lt: "9999-01-01" }, "f to 9998-12-31"],
  [{ from: "2024-05-01T14:30", to: "2024-05-01T14:30" }, { gte: "2024-05-01T14:30:00Z", lt: "2024-05-01T14:31:00Z" }, "f 2024-05-01 14:30 UTC"],
  [{ from: "2024-05-01T14:30", to: "2024-05-01" }, { gte: "2024-05-01T14:30:00Z", lt: "2024-05-02" }, "f 2024-05-01 14:30 – 2024-05-01 UTC"],
  [{ from: "2024-05-01", to: "2024-05-01T00:00" }, { gte: "2024-05-01", lt: "2024-05-01T00:01:00Z" }, "f 2024-05-01 – 2024-05-01 00:00 UTC"],
  [{ from: null, to: "2023-12-31T23:59" }, { lt: "2024-01-01T00:00:00Z" }, "f to 2023-12-31 23:59 UTC"],
  [{ from: "2026-11-21T09:00", to: null }, { gte: "2026-11-21T09:00:00Z" }, "f from 2026-11-21 09:00 UTC"],
  [{ from: "1000-01-01", to: null }, { gte: "1000-01-01" }, "f from 1000-01-01"],
];

test.each(ROWS)("%o is the condition %o and is read from it, from the address and in words", (range, bounds, words) => {
  expect(boundsOf(range)).toEqual(bounds);
  expect(rangeOf(bounds)).toEqual(range);
  expect(readRange(writeRange(range))).toEqual(range);
  expect(wordsOfRange("f", range)).toBe(words);
});

test.each([{}, { gt: 1 }, { gte: 1, lt: 2 }, { gte: "2026-11-21", lte: "2026-11-22" }, { gte: "2026-11-21T09:00:30Z" }, { gte: "2026-11-21T09:00" }, { lt: "2026-11-21T09:00:00+01:00" }, { lt: "2026-02-30" }, { lt: "2026-11-21T99:99:00Z" }, { gte: 2, lte: 1 }, { gte: 1, gt: 0 }])(
  "the page would not ask for %o",
  (bounds) => expect(rangeOf(bounds)).toBeNull(),
);

test.each(["", "..", "1", "1..2..3", "a..b", "2..1", "2026-02-30..", "2026-11-22..2026-11-21", "0999-01-01..", "..9999-12-31", "1..2026-11-21", "..Infinity", "2024-05-01T24:00..", "2024-05-01T12:60..", "2024-02-30T12:00..", "T12:00..", "2024-05-01T12..", "2024-05-02..2024-05-01T23:59", "2024-05-01T12:01..2024-05-01T12:00"])(
  "%s in the address is no range",
  (text) => expect(readRange(text)).toBeNull(),
);

test("of several ranges of a field in the address the last counts; one without a field is passed over", () => {
  expect(readPlace("?r=year:1..2&r=:1..2&r=1..2&r=year:3..&r=x").ranges).toEqual([["year", { from: 3, to: null }]]);
});

test.each<[Kind, string, string, Range | null]>([
  ["number", "", " ", null],
  ["number", "01990", "2e3", { from: 1990, to: 2000 }],
  ["number", "", "-4", { from: null, to: -4 }],
  ["date", "2026-11-21", "2026-11-21", { from: "2026-11-21", to: "2026-11-21" }],
])("as a %s, %s to %s is read", (kind, from, to, range) => {
  expect(readTyped(kind, { from, to })).toEqual({ value: range, wrong: null, at: [] });
});

test("what is wrong is told with where it stands", () => {
  expect(readTyped("number", { from: "10", to: "9" })).toMatchObject({ value: null, at: ["from", "to"] });
  expect(readTyped("number", { from: "1", to: "" }, ["to"])).toEqual({ value: null, wrong: "That is not a number.", at: ["to"] });
  expect(readTyped("date", { from: "0202-11-21", to: "2026-11-21" })).toEqual({ value: null, wrong: "That is not a whole date or time.", at: ["from"] });
  expect(readTyped("date", { from: "2026-11-21", to: "T14:30" })).toEqual({ value: null, wrong: "That time has no day.", at: ["to"] });
  expect(readTyped("date", { from: "2026-11-22", to: "2026-11-21" }).at).toEqual(["from", "to"]);
});

test("a minute in the address may be written with a space, and its colon is none between field and range", () => {
  const taken = [["taken", { from: "2024-05-01T14:30", to: "2024-05-02" }]];
  expect(readPlace("?r=taken:2024-05-01T14:30..2024-05-02").ranges).toEqual(taken);
  expect(readPlace("?r=taken:2024-05-01+14:30..2024-05-02").ranges).toEqual(taken);
});

test("a field has one range, beside its values; both must hold", () => {
  const ranges = withRange(withRange(withRange([], "year", { from: 1, to: null }), "taken", { from: null, to: "2026-11-21" }), "year", { from: 2, to: 3 });
  const filtered = { ...UNFILTERED, where: [["year", 2] as const], ranges };
  expect(filterOf(filtered)).toEqual({
    must: [
      { key: "year", match: [2] },
      { key: "taken", range: { lt: "2026-11-22" } },
      { key: "year", range: { gte: 2, lte: 3 } },
    ],
  });
  expect(filteredOf(filterOf(filtered))).toEqual(filtered);
  expect(withRange(ranges, "year", null).map(([field]) => field)).toEqual(["taken"]);
});

test("only numbers and moments that the collection declares have ranges", () => {
  const payload = { year: "integer", score: "float", taken: "datetime", place: "geo", album: "keyword" } as const;
  expect([...Object.keys(payload), "other"].map((field) => kindOf(payload, field))).toEqual(["number", "number", "date", null, null, null]);
});

test("a range of the past is told in words", () => {
  const search = { query: { text: "sea" }, filter: { must: [{ key: "year", range: { gte: 1990 } }] } };
  expect(wordsOf({ at: "", job: "j", collection: "c", by: null, slot: null, picture: false, search })).toBe("sea · year from 1990");
});
