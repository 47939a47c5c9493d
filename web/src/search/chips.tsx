/** The parts of a query that are not words. */

import type { VNode } from "preact";
import { useContext, useEffect, useState } from "preact/hooks";

import { nameOf } from "../ui/format.ts";
import { Icon } from "../ui/icons.tsx";
import { Media, Picture } from "../ui/picture.tsx";
import { enterGrid } from "./grid-focus.ts";
import type { Pictured } from "./marks.ts";
import type { Ranges } from "./ranges.ts";
import { wordsOfRange } from "./ranges.ts";

export interface ItemChipProps {
  collection: string;
  id: number;
  /** What is known of it, where the page has seen one. */
  known: Pictured | null;
  onRemove: () => void;
}

export function ItemChip({ collection, id, known, onRemove }: ItemChipProps): VNode {
  const name = useName(collection, id, known?.id === id ? known : null);
  return (
    <span class="chip" data-testid="similar-chip">
      <Picture key={id} collection={collection} id={id} size="thumb" alt="" />
      <span class="chip-label">like {name}</span>
      <Remove label={`Stop looking for pictures like ${name}`} onRemove={onRemove} />
    </span>
  );
}

export function PictureChip({ preview, name, onRemove }: { preview: string; name: string; onRemove: () => void }): VNode {
  return (
    <span class="chip" data-testid="picture-chip">
      <span class="picture picture-thumb">
        <img src={preview} alt="" />
      </span>
      <span class="chip-label">{name}</span>
      <Remove label="Stop searching with this picture" onRemove={onRemove} />
    </span>
  );
}

export function ExamplesChip({ good, bad, onRemove }: { good: number; bad: number; onRemove: () => void }): VNode {
  return (
    <span class="chip" data-testid="examples-chip">
      <span class="chip-label">
        {good} good, {bad} bad
      </span>
      <Remove label="Stop looking by examples" onRemove={onRemove} />
    </span>
  );
}

/** Above the pictures, so that the inputs they come from stay where they are; the keys go on in the pictures. */
export function RangeChips({ ranges, onRemove }: { ranges: Ranges; onRemove: (field: string) => void }): VNode | null {
  if (ranges.length === 0) return null;
  const remove = (field: string): void => {
    enterGrid();
    onRemove(field);
  };
  return (
    <div class="range-chips" role="group" aria-label="Ranges">
      {ranges.map(([field, range]) => (
        <span key={field} class="chip" data-testid="range-chip">
          <span class="chip-label">{wordsOfRange(field, range)}</span>
          <Remove label={`Stop filtering by a range of ${field}`} onRemove={() => remove(field)} />
        </span>
      ))}
    </div>
  );
}

function Remove({ label, onRemove }: { label: string; onRemove: () => void }): VNode {
  return (
    <button type="button" class="round" aria-label={label} onClick={onRemove}>
      <Icon name="close" />
    </button>
  );
}

/** A shared address has the id alone; the name comes after it. */
function useName(collection: string, id: number, known: Pictured | null): string {
  const { http } = useContext(Media);
  const [name, setName] = useState(nameOf(id, known?.payload, known?.source));
  useEffect(() => {
    setName(nameOf(id, known?.payload, known?.source));
    if (known !== null) return undefined;
    const gone = new AbortController();
    http.item(collection, id, gone.signal).then(
      ({ payload, source }) => setName(nameOf(id, payload, source)),
      // The id stays as its name; the search itself says what is wrong with it.
      () => undefined,
    );
    return () => gone.abort();
  }, [http, collection, id, known]);
  return name;
}
