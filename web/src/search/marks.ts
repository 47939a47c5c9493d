/** What a searcher has said of pictures in one sitting. */

import type { Exclude, Hit, Scalar } from "../client/contract.ts";

export type Mark = "good" | "bad" | "hidden";
export type GroupKey = string | number;

export interface Marks {
  /** Marked since the last refining; those before it are part of the query. */
  good: readonly number[];
  bad: readonly number[];
  /** Never to be shown again. */
  hidden: readonly number[];
  groups: readonly GroupKey[];
}

export const NO_MARKS: Marks = { good: [], bad: [], hidden: [], groups: [] };
const MARKS: readonly Mark[] = ["good", "bad", "hidden"];

/** A picture has one mark; the same one again takes it away. */
export function toggled(marks: Marks, mark: Mark, id: number): Marks {
  const had = marks[mark].includes(id);
  const without = Object.fromEntries(MARKS.map((name) => [name, marks[name].filter((one) => one !== id)]));
  const next = { ...marks, ...without };
  return had ? next : { ...next, [mark]: [...next[mark], id] };
}

export function toggledGroup(marks: Marks, group: GroupKey): Marks {
  const groups = marks.groups.includes(group) ? marks.groups.filter((one) => one !== group) : [...marks.groups, group];
  return { ...marks, groups };
}

export function markOf(marks: Marks, id: number, group: GroupKey | null = null): Mark | null {
  if (group !== null && marks.groups.includes(group)) return "hidden";
  return MARKS.find((mark) => marks[mark].includes(id)) ?? null;
}

/** The group that a hit belongs to, where its collection has a field for that. */
export function groupOf({ payload }: Hit, field: string | null): GroupKey | null {
  const value = field === null ? undefined : payload?.[field];
  return typeof value === "string" || typeof value === "number" ? value : null;
}

/** What the next search leaves out, beside what is shown. */
export function excluded({ hidden, groups }: Marks): Exclude {
  return { ...(hidden.length > 0 && { ids: [...hidden] }), ...(groups.length > 0 && { groups: [...groups] }) };
}

/** A field of the payload and the values of which an item has one. */
export type Where = readonly (readonly [field: string, value: Scalar])[];

export function valuesOf(where: Where, field: string): Scalar[] {
  return where.filter(([name]) => name === field).map(([, value]) => value);
}

export function toggledValue(where: Where, field: string, value: Scalar): Where {
  const has = where.some(([name, one]) => name === field && one === value);
  return has ? where.filter(([name, one]) => name !== field || one !== value) : [...where, [field, value]];
}
