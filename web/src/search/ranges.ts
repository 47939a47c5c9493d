/** From here to there in a field's numbers or days: as it is typed, in the address and in a filter. */

import type { Collection, NumberRange } from "../client/contract.ts";
import type { Read } from "./use-typed.ts";

/** A number; or a day as 2026-11-21, of UTC, so that an address means the same everywhere. */
export type Bound = number | string;

/** Both ends belong to it; null where it has none. One at least is there, and they are in order. */
export interface Range {
  from: Bound | null;
  to: Bound | null;
}

/** One range of a field at most. */
export type Ranges = readonly (readonly [field: string, range: Range])[];

/** As the inputs are called. */
export type Kind = "number" | "date";
export type End = keyof Range;
export const ENDS: readonly End[] = ["from", "to"];

/** What the API takes for a moment, one day less. */
export const FIRST_DAY = "1000-01-01";
export const LAST_DAY = "9998-12-31";

const KINDS: Readonly<Record<string, Kind>> = { integer: "number", float: "number", datetime: "date" };
const DAY_MS = 86_400_000;
const WRONG: Record<Kind, string> = { number: "That is not a number.", date: "That is not a whole date." };

export const kindOf = (payload: Collection["payload"], field: string): Kind | null => KINDS[payload[field] ?? ""] ?? null;

export const rangeFor = (ranges: Ranges, field: string): Range | null => ranges.find(([name]) => name === field)?.[1] ?? null;

export function withRange(ranges: Ranges, field: string, range: Range | null): Ranges {
  const others = ranges.filter(([name]) => name !== field);
  return range === null ? others : [...others, [field, range]];
}

export type Typed = Readonly<Record<End, string>>;

export type Reading = Read<Range, End>;

/** `unread`: where something stands that the browser makes no value of. */
export function readTyped(kind: Kind, typed: Typed, unread: readonly End[] = []): Reading {
  const [from, to] = [boundIn(kind, typed.from), boundIn(kind, typed.to)];
  const at = ENDS.filter((end) => unread.includes(end) || boundIn(kind, typed[end]) === undefined);
  if (from === undefined || to === undefined || at.length > 0) return { value: null, wrong: WRONG[kind], at };
  if (isReversed(from, to)) return { value: null, wrong: "The first comes after the second: nothing lies between them.", at: ENDS };
  return { value: from === null && to === null ? null : { from, to }, wrong: null, at: [] };
}

export function typedOf(range: Range | null): Typed {
  return { from: String(range?.from ?? ""), to: String(range?.to ?? "") };
}

/** As `1990..2000`, or open at one end. */
export const writeRange = ({ from, to }: Range): string => `${from ?? ""}..${to ?? ""}`;

/** Null for what is none. */
export function readRange(text: string): Range | null {
  const [from, to, ...more] = text.split("..");
  if (from === undefined || to === undefined || more.length > 0) return null;
  const kind = isDay(from) || isDay(to) ? "date" : "number";
  return readTyped(kind, { from, to }).value;
}

export function wordsOfRange(field: string, { from, to }: Range): string {
  if (from === to) return `${field} ${from}`;
  if (to === null) return `${field} from ${from}`;
  return from === null ? `${field} to ${to}` : `${field} ${from} – ${to}`;
}

/** The last day is over where the next one begins. */
export function boundsOf({ from, to }: Range): NumberRange {
  return {
    ...(from !== null && { gte: from }),
    ...(typeof to === "number" && { lte: to }),
    ...(typeof to === "string" && { lt: dayAfter(to, 1) }),
  };
}

/** Null where the page would not have asked so. What is not said is null, or is missing. */
export function rangeOf({ gt, gte, lt, lte }: NumberRange): Range | null {
  const to = typeof lt === "string" && isDate(lt) ? dayAfter(lt, -1) : lte;
  const range = readRange(writeRange({ from: gte ?? null, to: to ?? null }));
  if (range === null) return null;
  const asked = boundsOf(range);
  return JSON.stringify([asked.gt, asked.gte, asked.lt, asked.lte]) === JSON.stringify([gt, gte, lt, lte]) ? range : null;
}

/** Undefined for what is neither a bound nor empty. */
function boundIn(kind: Kind, text: string): Bound | null | undefined {
  if (text.trim() === "") return null;
  if (kind === "date") return isDay(text) ? text : undefined;
  return Number.isFinite(Number(text)) ? Number(text) : undefined;
}

const isReversed = (from: Bound | null, to: Bound | null): boolean => from !== null && to !== null && from > to;

const isDay = (text: string): boolean => isDate(text) && text >= FIRST_DAY && text <= LAST_DAY;

/** Not the 30th of February, which a `Date` takes for a day in March. */
function isDate(text: string): boolean {
  return /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(text)) && dayAfter(text, 0) === text;
}

function dayAfter(day: string, days: number): string {
  return new Date(Date.parse(day) + days * DAY_MS).toISOString().slice(0, 10);
}
