/** What a session holds in one collection, and how changes of it add up: the server's rules, for what the page shows. */

import type { Marks, SetChange, Sets } from "../client/contract.ts";

export type GroupKey = string | number;
export type SetName = SetChange["set"];
/** Who put it there: a member of the team, or null. */
export type By = string | null;
export type Held = Readonly<Record<SetName, ReadonlyMap<GroupKey, By>>>;
export type Change = Omit<Marks, "collection">;

const NONE: ReadonlyMap<GroupKey, By> = new Map<GroupKey, By>();
export const NOTHING: Held = { seen: NONE, exclude: NONE, positive: NONE, negative: NONE, exclude_groups: NONE };
const NAMES = Object.keys(NOTHING) as SetName[];
const OPPOSITE: Partial<Record<SetName, SetName>> = { positive: "negative", negative: "positive" };

export function heldOf({ seen, exclude, positive, negative, exclude_groups: groups }: Sets): Held {
  const items = (marks: Sets["exclude"]): Map<GroupKey, By> => new Map(marks.map(({ id, by }) => [id, by]));
  return {
    seen: new Map(seen.map((id) => [id, null])),
    exclude: items(exclude),
    positive: items(positive),
    negative: items(negative),
    exclude_groups: new Map(groups.map(({ group, by }) => [group, by])),
  };
}

/** What is there already keeps its place and its name. */
export function changed(held: Held, changes: readonly SetChange[], by: By): Held {
  let next = held;
  for (const { set, add, remove } of changes) {
    const entries = new Map(next[set]);
    for (const key of remove) entries.delete(key);
    for (const key of add) if (!entries.has(key)) entries.set(key, by);
    next = { ...next, [set]: entries };
  }
  return next;
}

/** A change as a client sends it, set by set: a good example is no bad one any more. */
export function changesOf(held: Held, change: Change): SetChange[] {
  const cleared = (change.clear ?? []).map((set) => ({ set, add: [], remove: [...held[set].keys()] }));
  return [...cleared, ...NAMES.flatMap((set) => changesIn(set, change))];
}

function changesIn(set: SetName, change: Change): SetChange[] {
  const { add = [], remove = [] }: { add?: GroupKey[]; remove?: GroupKey[] } = change[set] ?? {};
  const opposite = OPPOSITE[set];
  const own = { set, add: [...add], remove: [...remove] };
  return opposite === undefined || add.length === 0 ? [own] : [own, { set: opposite, add: [], remove: [...add] }];
}
