/** The found pictures, best first; one tab stop, arrows inside. */

import type { VNode } from "preact";
import { Fragment } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

import type { Hit } from "../client/contract.ts";
import { nameOf, score } from "../ui/format.ts";
import type { IconName } from "../ui/icons.tsx";
import { Icon } from "../ui/icons.tsx";
import { Picture } from "../ui/picture.tsx";
import { ABOVE, columnsOf, step } from "./grid-keys.ts";
import type { Mark } from "./marks.ts";
import { isPlain } from "./use-keys.ts";

export interface GridProps {
  collection: string;
  hits: readonly Hit[];
  line: number | null;
  stale: boolean;
  marked: Marked;
  onOpen: (index: number) => void;
  onAbove: () => void;
}

/** What is said of pictures, and how to say it. */
export interface Marked {
  of: (hit: Hit) => Mark | null;
  mark: (mark: Mark, hit: Hit) => void;
  hideGroup: (hit: Hit) => void;
  similar: (hit: Hit) => void;
}

/** One key each, for the picture that has the focus. */
export function keysOf({ mark, hideGroup, similar }: Marked, hit: Hit): Readonly<Record<string, () => void>> {
  return {
    g: () => mark("good", hit),
    b: () => mark("bad", hit),
    x: () => mark("hidden", hit),
    v: () => hideGroup(hit),
    s: () => similar(hit),
  };
}

export const GRID_ID = "hits";

export function Grid({ collection, hits, line, stale, marked, onOpen, onAbove }: GridProps): VNode {
  const list = useRef<HTMLUListElement>(null);
  const [current, setCurrent] = useState(0);
  const first = hits[0]?.id;
  const likely = likelyOf(hits, line);
  useEffect(() => setCurrent(0), [first]);
  const keys = (event: KeyboardEvent): void => {
    const hit = hits[current];
    const act = hit && isPlain(event) ? keysOf(marked, hit)[event.key] : undefined;
    if (act !== undefined) {
      event.preventDefault();
      return act();
    }
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
        <Fragment key={hit.id}>
          {index === likely && <Divider />}
          <Tile
            collection={collection}
            hit={hit}
            marked={marked}
            reachable={index === Math.min(current, hits.length - 1)}
            onFocus={() => setCurrent(index)}
            onOpen={() => onOpen(index)}
          />
        </Fragment>
      ))}
    </ul>
  );
}

/** How many come before the relevance line; all of them where it is not known, or further on. */
export function likelyOf(hits: readonly Hit[], line: number | null): number {
  const first = line === null ? -1 : hits.findIndex(({ score: its }) => its < line);
  return first === -1 ? hits.length : first;
}

/** An entry of the list, so that it is read where it stands. */
function Divider(): VNode {
  return (
    <li class="less-likely" data-testid="less-likely">
      less likely from here
    </li>
  );
}

interface TileProps {
  collection: string;
  hit: Hit;
  marked: Marked;
  reachable: boolean;
  onFocus: () => void;
  onOpen: () => void;
}

function Tile({ collection, hit, marked, reachable, onFocus, onOpen }: TileProps): VNode {
  const name = nameOf(hit.id, hit.payload, hit.source);
  const mark = marked.of(hit);
  return (
    <li class="spot" data-mark={mark ?? undefined} onFocusIn={onFocus}>
      <button
        type="button"
        class="tile"
        tabIndex={reachable ? 0 : -1}
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
          {mark !== null && <span class="hidden">{mark}</span>}
        </span>
      </button>
      <MarkButtons hit={hit} name={name} mark={mark} onMark={marked.mark} />
    </li>
  );
}

const BUTTONS: readonly (readonly [Mark, IconName, string])[] = [
  ["good", "good", "Good example"],
  ["bad", "bad", "Bad example"],
  ["hidden", "hide", "Hide"],
];

interface MarkButtonsProps {
  hit: Hit;
  name: string;
  mark: Mark | null;
  /** Whether tabbing stops there; in a grid, keys do the same. */
  reachable?: boolean;
  onMark: Marked["mark"];
}

export function MarkButtons({ hit, name, mark, reachable = false, onMark }: MarkButtonsProps): VNode {
  return (
    <span class="marks">
      {BUTTONS.map(([its, icon, label]) => (
        <button
          key={its}
          type="button"
          class={`round mark mark-${its}`}
          tabIndex={reachable ? 0 : -1}
          aria-pressed={mark === its}
          aria-label={`${label}: ${name}`}
          title={label}
          onClick={() => onMark(its, hit)}
          data-testid={`mark-${its}`}
        >
          <Icon name={icon} />
        </button>
      ))}
    </span>
  );
}

function tilesIn(list: HTMLElement | null): HTMLButtonElement[] {
  return [...(list?.querySelectorAll<HTMLButtonElement>("button.tile") ?? [])];
}

export function enterGrid(): void {
  document.querySelector<HTMLButtonElement>(`#${GRID_ID} button.tile[tabindex="0"]`)?.focus();
}
