/** What stands before and after a picture in its group: the shots of a video, the pictures of an album. */

import type { VNode } from "preact";
import { useContext, useEffect, useState } from "preact/hooks";

import type { Item, NeighboursResult } from "../client/contract.ts";
import { nameOf } from "../ui/format.ts";
import { Media, Picture } from "../ui/picture.tsx";
import { Stamp } from "./grid.tsx";
import { clock, momentOf } from "./moment.ts";

const AROUND = { before: 3, after: 3 };

export interface StripProps {
  collection: string;
  id: number;
  onSimilar: (item: Item) => void;
}

/** Its place is kept while it loads; of a picture that stands alone there is nothing to show. */
export function Strip({ collection, id, onSimilar }: StripProps): VNode {
  const found = useNeighbours(collection, id);
  const items = found === null ? [] : [...found.before, ...(found.item ? [found.item] : []), ...found.after];
  return (
    <div class="strip" role="group" aria-label="Before and after it in its group" data-testid="strip">
      {items.length > 1 &&
        items.map((item) => (
          <button
            key={item.id}
            type="button"
            aria-current={item.id === id}
            aria-label={`Similar to ${nameOf(item.id, item.payload, item.source)}${at(item)}`}
            onClick={() => onSimilar(item)}
          >
            <Picture collection={collection} id={item.id} size="thumb" alt="" />
            <Stamp payload={item.payload} />
          </button>
        ))}
    </div>
  );
}

function at({ payload }: Item): string {
  const moment = momentOf(payload);
  return moment === null ? "" : ` at ${clock(moment.atS)}`;
}

function useNeighbours(collection: string, id: number): NeighboursResult | null {
  const { http } = useContext(Media);
  const [found, setFound] = useState<NeighboursResult | null>(null);
  useEffect(() => {
    const gone = new AbortController();
    setFound(null);
    // Without them the picture is as good as before.
    http.neighbours(collection, id, AROUND, gone.signal).then(setFound, () => undefined);
    return () => gone.abort();
  }, [http, collection, id]);
  return found;
}
