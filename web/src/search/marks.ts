/** What a searcher says of pictures. */

import type { Exclude as LeftOut, Hit, Scalar } from "../client/contract.ts";
import type { By, Change, GroupKey, Held, SetName } from "./held.ts";

/** What marks are of: a hit, or an item that stands beside one. */
export type Pictured = Omit<Hit, "score">;

export type Mark = "good" | "bad" | "hidden";

const MARKS: readonly (readonly [Mark, "positive" | "negative" | "exclude"])[] = [
  ["good", "positive"],
  ["bad", "negative"],
  ["hidden", "exclude"],
];

export interface Told {
  mark: Mark;
  by: By;
}

/** A picture has one mark; the same one again takes it away. */
export function toggled(held: Held, mark: Mark, id: number): Change {
  const change: Change = {};
  for (const [name, set] of MARKS) {
    if (name === mark && !held[set].has(id)) change[set] = { add: [id] };
    else if (held[set].has(id)) change[set] = { remove: [id] };
  }
  return change;
}

export function toggledGroup(held: Held, group: GroupKey): Change {
  return { exclude_groups: held.exclude_groups.has(group) ? { remove: [group] } : { add: [group] } };
}

/** These have been looked at: they come in no later search. What is marked stays as it is marked. */
export function sawAll(held: Held, ids: readonly number[]): Change {
  const fresh = ids.filter((id) => !held.seen.has(id) && !MARKS.some(([, set]) => held[set].has(id)));
  return fresh.length > 0 ? { seen: { add: fresh } } : {};
}

export function markOf(held: Held, id: number, group: GroupKey | null = null): Told | null {
  const whole = group === null ? undefined : held.exclude_groups.get(group);
  if (whole !== undefined) return { mark: "hidden", by: whole };
  for (const [mark, set] of MARKS) {
    const by = held[set].get(id);
    if (by !== undefined) return { mark, by };
  }
  return null;
}

/** The group that a hit belongs to, where its collection has a field for that. */
export function groupOf({ payload }: Pictured, field: string | null): GroupKey | null {
  const value = field === null ? undefined : payload?.[field];
  return typeof value === "string" || typeof value === "number" ? value : null;
}

type ItemSet = Exclude<SetName, "exclude_groups">;

export const idsIn = (held: Held, set: ItemSet): number[] => [...held[set].keys()].filter((key) => typeof key === "number");

/** What a search must leave out by itself: what the server does not know of yet. */
export function excluded(held: Held): LeftOut {
  const ids = [...idsIn(held, "seen"), ...idsIn(held, "exclude")];
  const groups = [...held.exclude_groups.keys()];
  return { ...(ids.length > 0 && { ids }), ...(groups.length > 0 && { groups }) };
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
