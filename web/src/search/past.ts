/** A query of the past as a place to go to, and in words. */

import type { PastSearch, Query, Search, Then } from "../client/contract.ts";
import { plural } from "../ui/format.ts";
import type { Later, Place } from "./address.ts";
import { NOWHERE, said, WITHIN_S } from "./address.ts";
import { filteredOf, narrowingsOf } from "./conditions.ts";

/** As much of it as an address holds: not a picture, nor a filter that the page would not make. */
export function placeOf({ collection, search }: PastSearch): Place {
  const { query = {}, filter, then = [], group_by: groupBy } = (search ?? {}) as Partial<Search>;
  const grouped = typeof groupBy === "string" && then.length === 0;
  return { ...NOWHERE, ...ofQuery(query), then: laterOf(then), collection, ...filteredOf(filter), grouped };
}

function laterOf(then: readonly Then[]): Later[] {
  return then.map(({ query, within_s: withinS }) => ({ text: query.text ?? "", withinS: withinS ?? WITHIN_S }));
}

/** What is not said is null, or is missing. */
function ofQuery(query: Query): Pick<Place, "text" | "item" | "good" | "bad"> {
  const { text, item, positive = [], negative = [] } = query;
  return { text: text ?? "", item: item ?? null, good: positive, bad: negative };
}

export function wordsOf(one: PastSearch): string {
  const place = placeOf(one);
  const { text, item, good, bad, where, then } = place;
  const parts = [
    text,
    item !== null && "like this picture",
    one.picture && "a picture of one's own",
    good.length + bad.length > 0 && plural(good.length + bad.length, "example"),
    ...said(then).map(({ text: words }) => `then ${words}`),
    ...where.map(([field, value]) => `${field}: ${value}`),
    ...narrowingsOf(place).map(([, words]) => words),
  ];
  const told = parts.filter((part) => part !== false && part !== "").join(" · ");
  return told === "" ? "a query too large to be kept" : told;
}
