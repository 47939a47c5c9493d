/** What the page filters by as the API's filter, and back. */

import type { Condition, Filter, Scalar } from "../client/contract.ts";
import type { Where } from "./marks.ts";
import { valuesOf } from "./marks.ts";
import type { Ranges } from "./ranges.ts";
import { boundsOf, rangeOf } from "./ranges.ts";

export interface Filtered {
  where: Where;
  ranges: Ranges;
}

export const UNFILTERED: Filtered = { where: [], ranges: [] };

export const filtersIn = ({ where, ranges }: Filtered): number => where.length + ranges.length;

/** One of the chosen values of each field, and within each range. */
export function filterOf({ where, ranges }: Filtered): Filter | null {
  const fields = [...new Set(where.map(([field]) => field))];
  const must: Condition[] = [
    ...fields.map((key) => ({ key, match: valuesOf(where, key) })),
    ...ranges.map(([key, range]) => ({ key, range: boundsOf(range) })),
  ];
  return must.length === 0 ? null : { must };
}

/** As much of it as the page would make. */
export function filteredOf(filter: Filter | null | undefined): Filtered {
  const must = filter?.must ?? [];
  return { where: must.flatMap(valuesIn), ranges: must.flatMap(rangeIn) };
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

const isScalar = (value: unknown): value is Scalar => ["string", "number", "boolean"].includes(typeof value);
