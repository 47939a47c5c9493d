/** From here to there in a field's numbers, days or minutes: as it is typed, in the address and in a filter. */

import type { Collection, NumberRange } from "../client/contract.ts";
import { after, before, beginMs, begunAt, endMs, isMinute, momentOf, stretchIn, wordsOfStretch } from "./stretches.ts";
import type { Read } from "./use-typed.ts";

/** A number; or a day, or a minute. */
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

const KINDS: Readonly<Record<string, Kind>> = { integer: "number", float: "number", datetime: "date" };
const WRONG: Record<Kind, string> = { number: "That is not a number.", date: "That is not a whole date or time." };
const DAYLESS = "That time has no day.";

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
  if (from === undefined || to === undefined || at.length > 0) return { value: null, wrong: wrongIn(kind, typed), at };
  if (isReversed(from, to)) return { value: null, wrong: "The first comes after the second: nothing lies between them.", at: ENDS };
  return { value: from === null && to === null ? null : { from, to }, wrong: null, at: [] };
}

const wrongIn = (kind: Kind, { from, to }: Typed): string => (isDayless(from) || isDayless(to) ? DAYLESS : WRONG[kind]);

export function typedOf(range: Range | null): Typed {
  return { from: String(range?.from ?? ""), to: String(range?.to ?? "") };
}

/** As `1990..2000`, or open at one end. */
export const writeRange = ({ from, to }: Range): string => `${from ?? ""}..${to ?? ""}`;

/** Null for what is none. */
export function readRange(text: string): Range | null {
  const [from, to, ...more] = text.split("..");
  if (from === undefined || to === undefined || more.length > 0) return null;
  const kind = [from, to].some((end) => stretchIn(end) !== undefined) ? "date" : "number";
  return readTyped(kind, { from, to }).value;
}

export function wordsOfRange(field: string, { from, to }: Range): string {
  const zone = [from, to].some((bound) => typeof bound === "string" && isMinute(bound)) ? " UTC" : "";
  if (from === to) return `${field} ${wordsOf(from)}${zone}`;
  if (to === null) return `${field} from ${wordsOf(from)}${zone}`;
  return from === null ? `${field} to ${wordsOf(to)}${zone}` : `${field} ${wordsOf(from)} – ${wordsOf(to)}${zone}`;
}

const wordsOf = (bound: Bound | null): string => (typeof bound === "string" ? wordsOfStretch(bound) : String(bound));

/** The last day, or minute, is over where the next one begins. */
export function boundsOf({ from, to }: Range): NumberRange {
  return {
    ...(from !== null && { gte: typeof from === "string" ? momentOf(from) : from }),
    ...(typeof to === "number" && { lte: to }),
    ...(typeof to === "string" && { lt: momentOf(after(to)) }),
  };
}

/** Null where the page would not have asked so. What is not said is null, or is missing. */
export function rangeOf({ gt, gte, lt, lte }: NumberRange): Range | null {
  const [from, next] = [begun(gte), begun(lt)];
  const to = typeof next === "string" ? before(next) : lte;
  const range = readRange(writeRange({ from: from ?? null, to: to ?? null }));
  if (range === null) return null;
  const asked = boundsOf(range);
  return JSON.stringify([asked.gt, asked.gte, asked.lt, asked.lte]) === JSON.stringify([gt, gte, lt, lte]) ? range : null;
}

const begun = (moment: Bound | null | undefined): Bound | null | undefined => (typeof moment === "string" ? begunAt(moment) : moment);

const isDayless = (text: string): boolean => text.startsWith("T");

/** Undefined for what is neither a bound nor empty. */
function boundIn(kind: Kind, text: string): Bound | null | undefined {
  if (text.trim() === "") return null;
  if (kind === "date") return stretchIn(text);
  return Number.isFinite(Number(text)) ? Number(text) : undefined;
}

/** Of one day and a minute of it, each is before and after the other. */
function isReversed(from: Bound | null, to: Bound | null): boolean {
  if (from === null || to === null) return false;
  return typeof from === "string" && typeof to === "string" ? beginMs(from) >= endMs(to) : from > to;
}
