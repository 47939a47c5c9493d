/** The parts of a query that are not words. */

import type { VNode } from "preact";
import { useContext, useEffect, useState } from "preact/hooks";

import { nameOf } from "../ui/format.ts";
import { Icon } from "../ui/icons.tsx";
import { Media, Picture } from "../ui/picture.tsx";
import { enterGrid } from "./grid-focus.ts";
import type { Pictured } from "./marks.ts";
import type { Filtered } from "./conditions.ts";
import { narrowingsOf } from "./conditions.ts";

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

export interface NarrowingChipsProps {
  filtered: Filtered;
  onRange: (field: string, range: null) => void;
  onArea: (field: string, area: null) => void;
}

/** Above the pictures, so that the inputs they come from stay where they are; the keys go on in the pictures. */
export function NarrowingChips({ filtered, onRange, onArea }: NarrowingChipsProps): VNode | null {
  const told = narrowingsOf(filtered);
  if (told.length === 0) return null;
  const isRange = (field: string): boolean => filtered.ranges.some(([name]) => name === field);
  const remove = (field: string): void => {
    enterGrid();
    (isRange(field) ? onRange : onArea)(field, null);
  };
  return (
    <div class="range-chips" role="group" aria-label="Ranges and places">
      {told.map(([field, words]) => (
        <span key={field} class="chip" data-testid="range-chip">
          <span class="chip-label">{words}</span>
          <Remove label={isRange(field) ? `Stop filtering by a range of ${field}` : `Stop filtering by ${field}`} onRemove={() => remove(field)} />
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
