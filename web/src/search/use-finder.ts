/** Keeps the finder in step with what is asked for. */

import { useEffect, useMemo, useState } from "preact/hooks";

import type { LiveClient } from "../client/live.ts";
import type { Query } from "../client/contract.ts";
import type { Findings } from "./finder.ts";
import { Finder } from "./finder.ts";

export interface Asked {
  collection: string | null;
  text: string;
  item: number | null;
  image: string | null;
}

export function useFinder(live: LiveClient, { collection, text, item, image }: Asked): [Finder, Findings] {
  const finder = useMemo(() => new Finder(live), [live]);
  const [findings, setFindings] = useState(finder.findings);
  useEffect(() => {
    setFindings(finder.findings);
    return finder.subscribe(setFindings);
  }, [finder]);
  useEffect(() => {
    const query = queryOf({ text, item, image });
    if (collection === null || query === null) finder.clear();
    else void finder.find({ collection, query });
  }, [finder, collection, text, item, image]);
  return [finder, findings];
}

/** Null where there is nothing to look for. */
export function queryOf({ text, item, image }: Omit<Asked, "collection">): Query | null {
  const words = text.trim();
  const query: Query = {
    ...(words !== "" && { text: words }),
    ...(item !== null && { item }),
    ...(image !== null && { image }),
  };
  return Object.keys(query).length === 0 ? null : query;
}
