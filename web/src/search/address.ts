/** The search in the page's address, so that it can be shared and stepped back to. */

import type { Scalar } from "../client/contract.ts";
import type { Areas } from "./areas.ts";
import { readArea, writeArea } from "./areas.ts";
import type { Where } from "./marks.ts";
import type { Ranges } from "./ranges.ts";
import { readRange, writeRange } from "./ranges.ts";

export interface Place {
  text: string;
  item: number | null;
  /** One of the searcher's own pictures, by the name that this browser keeps it under. */
  pic: string | null;
  collection: string | null;
  /** Examples, and counterexamples, of what is looked for. */
  good: readonly number[];
  bad: readonly number[];
  where: Where;
  ranges: Ranges;
  areas: Areas;
  /** One picture of each group. */
  grouped: boolean;
  /** What comes after it in the same group, one after the other. */
  then: readonly Later[];
}

/** A further step: in words, and within how many seconds; without words it asks for nothing. */
export interface Later {
  text: string;
  withinS: number;
}

export const NOWHERE: Place = { text: "", item: null, pic: null, collection: null, good: [], bad: [], where: [], ranges: [], areas: [], grouped: false, then: [] };

export const MAX_TEXT = 1_000;
/** As the API has them. */
export const MAX_LATER = 3;
export const WITHIN_S = 30;
export const MAX_WITHIN_S = 86_400;
/** So many examples fit an address. */
const MOST_IDS = 100;
const MOST_VALUES = 50;
/** Of ranges and areas each. */
const MOST_FIELDS = 16;

export function readPlace(search: string): Place {
  const given = new URLSearchParams(search);
  return {
    text: (given.get("q") ?? "").slice(0, MAX_TEXT),
    item: idsIn(given.get("item"))[0] ?? null,
    pic: /^[\w-]{1,64}$/.exec(given.get("pic") ?? "")?.[0] ?? null,
    collection: given.get("c"),
    good: idsIn(given.get("like")),
    bad: idsIn(given.get("unlike")),
    where: given.getAll("f").slice(0, MOST_VALUES).flatMap(pairIn),
    ranges: byField(given.getAll("r"), readRange),
    areas: byField(given.getAll("a"), readArea),
    grouped: given.has("groups"),
    then: laterIn(given.getAll("then"), given.getAll("within")),
  };
}

/** Relative, so that it works under any path. */
export function writePlace({ text, item, pic, collection, good, bad, where, ranges, areas, grouped, then }: Place): string {
  const pairs: [string, string][] = [
    ["q", text.trim()],
    ["item", item === null ? "" : String(item)],
    ["pic", pic ?? ""],
    ["like", good.slice(-MOST_IDS).join(",")],
    ["unlike", bad.slice(-MOST_IDS).join(",")],
    ...where.map(([field, value]): [string, string] => ["f", `${field}:${JSON.stringify(value)}`]),
    ...ranges.map(([field, range]): [string, string] => ["r", `${field}:${writeRange(range)}`]),
    ...areas.map(([field, area]): [string, string] => ["a", `${field}:${writeArea(area)}`]),
    ["groups", grouped ? "1" : ""],
    ...pairsOf(said(then)),
    ["c", collection ?? ""],
  ];
  const search = new URLSearchParams(pairs.filter(([, value]) => value !== ""));
  return search.size === 0 ? "./" : `?${search.toString()}`;
}

/** Those with words. */
export function said(then: readonly Later[]): Later[] {
  return then.map((one) => ({ ...one, text: one.text.trim() })).filter(({ text }) => text !== "");
}

function laterIn(texts: readonly string[], within: readonly string[]): Later[] {
  const steps = texts.map((text, place) => ({ text: text.slice(0, MAX_TEXT), withinS: secondsIn(within[place] ?? null) }));
  return said(steps).slice(0, MAX_LATER);
}

/** Seconds belong to steps by their order: all are told, or none. */
function pairsOf(steps: readonly Later[]): [string, string][] {
  const usual = steps.every(({ withinS }) => withinS === WITHIN_S);
  return [
    ...steps.map(({ text }): [string, string] => ["then", text]),
    ...(usual ? [] : steps.map(({ withinS }): [string, string] => ["within", String(withinS)])),
  ];
}

/** A day at most, as the API has it. */
export function secondsIn(text: string | null): number {
  const seconds = Number(text ?? NaN);
  return seconds > 0 && seconds <= MAX_WITHIN_S ? seconds : WITHIN_S;
}

function idsIn(text: string | null): number[] {
  const ids = (text ?? "").split(",").filter((one) => /^\d{1,16}$/.test(one));
  return ids.map(Number).filter(Number.isSafeInteger).slice(0, MOST_IDS);
}

/** A field and a value as JSON; what is neither is passed over. */
function pairIn(text: string): [string, Scalar][] {
  const colon = text.indexOf(":");
  try {
    const value: unknown = JSON.parse(text.slice(colon + 1));
    const known = typeof value === "string" || typeof value === "number" || typeof value === "boolean";
    return colon > 0 && known ? [[text.slice(0, colon), value]] : [];
  } catch {
    return [];
  }
}

/** A field and its range, or area; of several of one field the last counts. */
function byField<Value>(texts: readonly string[], read: (text: string) => Value | null): (readonly [string, Value])[] {
  const pairs = texts.slice(0, MOST_FIELDS).flatMap((text) => pairAt(text, read));
  return [...new Map(pairs)].map(([field, value]) => [field, value] as const);
}

/** Colons are in names and in times: the first one behind which a value stands divides the two. */
function pairAt<Value>(text: string, read: (text: string) => Value | null): (readonly [string, Value])[] {
  for (let colon = text.indexOf(":", 1); colon > 0; colon = text.indexOf(":", colon + 1)) {
    const value = read(text.slice(colon + 1));
    if (value !== null) return [[text.slice(0, colon), value]];
  }
  return [];
}
