/** What the page filters by as the API's filter, and back. */

import type { Condition, Filter, Scalar } from "../client/contract.ts";
import type { Areas } from "./areas.ts";
import { areaOf, conditionOf, wordsOfArea } from "./areas.ts";
import type { Where } from "./marks.ts";
import { valuesOf } from "./marks.ts";
import type { Ranges } from "./ranges.ts";
import { boundsOf, rangeOf, wordsOfRange } from "./ranges.ts";

export interface Filtered {
  where: Where;
  ranges: Ranges;
  areas: Areas;
}

export const UNFILTERED: Filtered = { where: [], ranges: [], areas: [] };

export const filtersIn = ({ where, ranges, areas }: Filtered): number => where.length + ranges.length + areas.length;

/** One of the chosen values of each field, and within each range and area. */
export function filterOf({ where, ranges, areas }: Filtered): Filter | null {
  const fields = [...new Set(where.map(([field]) => field))];
  const must: Condition[] = [
    ...fields.map((key) => ({ key, match: valuesOf(where, key) })),
    ...ranges.map(([key, range]) => ({ key, range: boundsOf(range) })),
    ...areas.map(([key, area]) => conditionOf(key, area)),
  ];
  return must.length === 0 ? null : { must };
}

/** As much of it as the page would make. */
export function filteredOf(filter: Filter | null | undefined): Filtered {
  const must = filter?.must ?? [];
  return { where: must.flatMap(valuesIn), ranges: must.flatMap(rangeIn), areas: must.flatMap(areaIn) };
}

function valuesIn({ key, match }: Condition): Where {
  if (key === undefined) return [];
  const values: unknown[] = Array.isArray(match) ? match : [match];
  return values.filter(isScalar).map((value) => [key, value] as const);
}

function rangeIn({ key, range }: Condition): Ranges {
  const read = key === undefined ? null : rangeOf(range ?? {});
  return key === undefined || read === null ? [] : [[key, read]];
}

function areaIn(condition: Condition): Areas {
  const [key, area] = [condition.key, areaOf(condition)];
  return key === undefined || area === null ? [] : [[key, area]];
}

/** What is filtered by, beside values; a field has one of these at most. */
export function narrowingsOf({ ranges, areas }: Pick<Filtered, "ranges" | "areas">): [field: string, words: string][] {
  return [
    ...ranges.map(([field, range]): [string, string] => [field, wordsOfRange(field, range)]),
    ...areas.map(([field, area]): [string, string] => [field, wordsOfArea(field, area)]),
  ];
}

const isScalar = (value: unknown): value is Scalar => ["string", "number", "boolean"].includes(typeof value);
