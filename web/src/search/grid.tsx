/** The found pictures, best first; one tab stop, arrows inside. */

import type { VNode } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

import type { Hit } from "../client/contract.ts";
import { nameOf, score } from "../ui/format.ts";
import { Picture } from "../ui/picture.tsx";
import { ABOVE, columnsOf, step } from "./grid-keys.ts";

export interface GridProps {
  collection: string;
  hits: readonly Hit[];
  stale: boolean;
  onOpen: (index: number) => void;
  onAbove: () => void;
}

export const GRID_ID = "hits";

export function Grid({ collection, hits, stale, onOpen, onAbove }: GridProps): VNode {
  const list = useRef<HTMLUListElement>(null);
  const [current, setCurrent] = useState(0);
  const first = hits[0]?.id;
  useEffect(() => setCurrent(0), [first]);
  const keys = (event: KeyboardEvent): void => {
    const tiles = tilesIn(list.current);
    const columns = columnsOf(tiles.map((tile) => tile.getBoundingClientRect().top));
    const next = step(event.key, current, { total: tiles.length, columns });
    if (next === null) return;
    event.preventDefault();
    if (next === ABOVE) return onAbove();
    setCurrent(next);
    tiles[next]?.focus();
  };
  return (
    // The list only hears the arrow keys of the buttons inside it.
    // eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions
    <ul ref={list} id={GRID_ID} role="list" class={stale ? "grid stale" : "grid"} onKeyDown={keys} data-testid="grid">
      {hits.map((hit, index) => (
        <Tile
          key={hit.id}
          collection={collection}
          hit={hit}
          reachable={index === Math.min(current, hits.length - 1)}
          onFocus={() => setCurrent(index)}
          onOpen={() => onOpen(index)}
        />
      ))}
    </ul>
  );
}

interface TileProps {
  collection: string;
  hit: Hit;
  reachable: boolean;
  onFocus: () => void;
  onOpen: () => void;
}

function Tile({ collection, hit, reachable, onFocus, onOpen }: TileProps): VNode {
  const name = nameOf(hit.id, hit.payload, hit.source);
  return (
    <li>
      <button
        type="button"
        class="tile"
        tabIndex={reachable ? 0 : -1}
        onFocus={onFocus}
        onClick={onOpen}
        data-testid="hit"
        data-id={hit.id}
      >
        <Picture collection={collection} id={hit.id} size="thumb" alt={name} />
        <span class="tile-text">
          <span class="tile-name" aria-hidden="true">
            {name}
          </span>
          <span class="tile-score" title="Similarity">
            {score(hit.score)}
          </span>
        </span>
      </button>
    </li>
  );
}

function tilesIn(list: HTMLElement | null): HTMLButtonElement[] {
  return [...(list?.querySelectorAll("button") ?? [])];
}

export function enterGrid(): void {
  document.querySelector<HTMLButtonElement>(`#${GRID_ID} button[tabindex="0"]`)?.focus();
}
