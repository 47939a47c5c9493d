/** What stands before and after a picture in its group: the shots of a video, the pictures of an album. */

import type { VNode } from "preact";
import { useContext, useEffect, useState } from "preact/hooks";

import type { Item, NeighboursResult } from "../client/contract.ts";
import { nameOf } from "../ui/format.ts";
import { Media, Picture } from "../ui/picture.tsx";
import type { Marked } from "./grid.tsx";
import { Stamp } from "./grid.tsx";
import type { Told } from "./marks.ts";
import { clock, momentOf } from "./moment.ts";

const AROUND = { before: 3, after: 3 };

export interface StripProps {
  collection: string;
  items: readonly Item[];
  /** Of the picture that is shown. */
  id: number;
  /** Of the one that was found. */
  found: number;
  /** What was said of each. */
  of: Marked["of"];
  onOpen: (item: Item) => void;
}

/** Its place is kept while it loads; of a picture that stands alone there is nothing to show. */
export function Strip({ collection, items, id, found, of, onOpen }: StripProps): VNode {
  return (
    <div class="strip" role="group" aria-label="Before and after it in its group" data-testid="strip">
      {items.length > 1 &&
        items.map((item) => (
          <button
            key={item.id}
            type="button"
            aria-current={item.id === id}
            aria-label={`${nameOf(item.id, item.payload, item.source)}${at(item)}${item.id === found ? ", the one found" : ""}${said(of(item))}`}
            data-mark={of(item)?.mark}
            data-found={item.id === found || undefined}
            onClick={() => onOpen(item)}
          >
            <Picture collection={collection} id={item.id} size="thumb" alt="" />
            <Stamp payload={item.payload} />
          </button>
        ))}
    </div>
  );
}

const said = (told: Told | null): string => (told === null ? "" : `, ${told.mark}`);

function at({ payload }: Item): string {
  const moment = momentOf(payload);
  return moment === null ? "" : ` at ${clock(moment.atS)}`;
}

/**
 * The items around a picture. They stay in their places while one walks along them; at either end the strip moves on to
 * what comes further, and what was there stays until that is known.
 */
export function useStrip(collection: string, id: number, grouped: boolean): readonly Item[] {
  const [anchor, setAnchor] = useState(id);
  const items = useAround(collection, anchor, grouped);
  const place = items.findIndex((item) => item.id === id);
  const ends = place <= 0 || place === items.length - 1;
  useEffect(() => {
    if (ends) setAnchor(id);
  }, [ends, id]);
  return items;
}

function useAround(collection: string, id: number, grouped: boolean): readonly Item[] {
  const { http } = useContext(Media);
  const [found, setFound] = useState<NeighboursResult | null>(null);
  useEffect(() => {
    if (!grouped) return undefined;
    const gone = new AbortController();
    // Without them the picture is as good as before.
    http.neighbours(collection, id, AROUND, gone.signal).then(setFound, () => undefined);
    return () => gone.abort();
  }, [http, collection, id, grouped]);
  return found === null ? [] : [...found.before, ...(found.item ? [found.item] : []), ...found.after];
}
