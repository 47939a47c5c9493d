/** Keeps the finder in step with what is asked for. */

import { useEffect, useLayoutEffect, useMemo, useState } from "preact/hooks";

import type { Query } from "../client/contract.ts";
import type { LiveClient } from "../client/live.ts";
import { randomKey } from "../client/transport.ts";
import type { Later } from "./address.ts";
import { said } from "./address.ts";
import type { Filtered } from "./conditions.ts";
import { filterOf } from "./conditions.ts";
import type { Findings, Request } from "./finder.ts";
import { Finder } from "./finder.ts";
import type { Held } from "./held.ts";
import { askedBy } from "./kept-pictures.ts";
import { excluded } from "./marks.ts";

export interface Asked extends Filtered {
  collection: string | null;
  text: string;
  item: number | null;
  image: string | null;
  /** The name under which this browser keeps it. */
  pic: string | null;
  good: readonly number[];
  bad: readonly number[];
  groupBy: string | null;
  then: readonly Later[];
}

/** Each load of the page has its own: another tab's newer search does not end this one's. */
const SLOT = `page-${randomKey().slice(0, 8)}`;

/** What is marked meanwhile changes nothing that is shown; it counts from the next search on. */
export function useFinder(live: LiveClient, asked: Asked, unsaved: Held): [Finder, Findings] {
  const finder = useMemo(() => new Finder(live, SLOT), [live]);
  const [findings, setFindings] = useState(finder.findings);
  useEffect(() => {
    setFindings(finder.findings);
    return finder.subscribe(setFindings);
  }, [finder]);
  // At once: a search may be asked for by the very next key.
  useLayoutEffect(() => void (finder.excluding = () => excluded(unsaved)), [finder, unsaved]);
  const { image, pic } = asked;
  useEffect(() => {
    finder.known = (job, { query }) => pic !== null && query.image === image && void askedBy(pic, job);
  }, [finder, image, pic]);
  const question = JSON.stringify(requestOf(asked));
  useEffect(() => {
    const request = JSON.parse(question) as Request | null;
    if (request === null) finder.clear();
    else void finder.find(request);
  }, [finder, question]);
  return [finder, findings];
}

export function requestOf(asked: Asked): Request | null {
  const { collection, groupBy } = asked;
  const query = queryOf(asked);
  if (collection === null || query === null) return null;
  const filter = filterOf(asked);
  return { collection, query, ...thenOf(asked), ...(filter && { filter }), ...(groupBy !== null && { group_by: groupBy }) };
}

function thenOf({ then }: Pick<Asked, "then">): Pick<Request, "then"> {
  const steps = said(then).map(({ text, withinS }) => ({ query: { text }, within_s: withinS }));
  return steps.length === 0 ? {} : { then: steps };
}

/** Null where there is nothing to look for. */
export function queryOf({ text, item, image, good, bad }: Pick<Asked, "text" | "item" | "image" | "good" | "bad">): Query | null {
  const words = text.trim();
  const query: Query = {
    ...(words !== "" && { text: words }),
    ...(item !== null && { item }),
    ...(image !== null && { image }),
    ...(good.length > 0 && { positive: [...good] }),
  };
  if (Object.keys(query).length === 0) return null;
  return bad.length > 0 ? { ...query, negative: [...bad] } : query;
}
