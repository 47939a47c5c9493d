/** The found pictures, best first; one tab stop, arrows inside. */

import type { VNode } from "preact";
import { Fragment } from "preact";
import { useRef, useState } from "preact/hooks";

import type { Group, Hit, Payload } from "../client/contract.ts";
import { nameOf, score } from "../ui/format.ts";
import type { IconName } from "../ui/icons.tsx";
import { Icon } from "../ui/icons.tsx";
import { Picture } from "../ui/picture.tsx";
import { GRID_ID, tilesIn, useFocusKept } from "./grid-focus.ts";
import { ABOVE, step } from "./grid-keys.ts";
import type { Mark, Pictured, Told } from "./marks.ts";
import { clock, momentOf } from "./moment.ts";
import { Sequence } from "./sequence.tsx";
import { isPressed } from "./use-keys.ts";

export interface GridProps {
  collection: string;
  hits: readonly Hit[];
  line: number | null;
  /** Where hits stand in sequences, each a row of its own. */
  sequences: readonly Group[];
  stale: boolean;
  marked: Marked;
  onOpen: (index: number) => void;
  onAbove: () => void;
  /** Past the last row. */
  onMore: () => void;
}

/** What is said of pictures, and how to say it. */
export interface Marked {
  /** Whether pictures of this collection stand in groups. */
  grouped: boolean;
  of: (hit: Pictured) => Told | null;
  /** Whether all of its group is hidden. */
  withGroup: (hit: Pictured) => boolean;
  seen: (hit: Pictured) => boolean;
  /** Another member of the team whose mark it is. */
  by: (told: Told) => string | null;
  mark: (mark: Mark, hit: Pictured) => void;
  hideGroup: (hit: Pictured) => void;
  similar: (hit: Pictured) => void;
  /** Whether it is known where it was. */
  placed: (hit: Pictured) => boolean;
  near: (hit: Pictured) => void;
  undo: () => void;
  redo: () => void;
}

/** One key each, for the picture that has the focus. */
export function keysOf({ mark, hideGroup, similar, near }: Marked, hit: Pictured): Readonly<Record<string, () => void>> {
  return {
    g: () => mark("good", hit),
    b: () => mark("bad", hit),
    x: () => mark("hidden", hit),
    v: () => hideGroup(hit),
    s: () => similar(hit),
    p: () => near(hit),
  };
}

export function Grid({ collection, hits, line, sequences, stale, marked, onOpen, onAbove, onMore }: GridProps): VNode {
  const list = useRef<HTMLUListElement>(null);
  const [current, setCurrent] = useState(0);
  const likely = likelyOf(hits, line);
  useFocusKept(list, hits, () => setCurrent(0));
  const keys = (event: KeyboardEvent): void => {
    const hit = hits[current];
    const act = hit && isPressed(event) ? keysOf(marked, hit)[event.key] : undefined;
    if (act !== undefined) {
      event.preventDefault();
      return act();
    }
    const tiles = tilesIn();
    const next = step(
      event.key,
      current,
      tiles.map((tile) => tile.getBoundingClientRect()),
    );
    if (next === null) return event.key === "ArrowDown" ? onMore() : undefined;
    event.preventDefault();
    if (next === ABOVE) return onAbove();
    setCurrent(next);
    tiles[next]?.focus();
  };
  const tile = (hit: Hit, index: number): VNode => (
    <Tile
      key={hit.id}
      collection={collection}
      hit={hit}
      marked={marked}
      reachable={index === Math.min(current, hits.length - 1)}
      onFocus={() => setCurrent(index)}
      onOpen={() => onOpen(index)}
    />
  );
  const kind = sequences.length > 0 ? "grid sequences" : "grid";
  return (
    // The list only hears the arrow keys of the buttons inside it.
    // eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions
    <ul ref={list} id={GRID_ID} role="list" data-steps={sequences[0]?.hits.length} class={stale ? `${kind} stale` : kind} onKeyDown={keys} data-testid="grid">
      {sequences.length > 0
        ? sequences.map((one) => <Sequence key={one.group} sequence={one} tile={(hit) => tile(hit, hits.findIndex(({ id }) => id === hit.id))} />)
        : hits.map((hit, index) => (
            <Fragment key={hit.id}>
              {index === likely && <Divider />}
              {tile(hit, index)}
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
  const told = marked.of(hit);
  const seen = told === null && marked.seen(hit);
  return (
    <li class="spot" data-mark={told?.mark} data-seen={seen || undefined} onFocusIn={onFocus}>
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
          <Stamp payload={hit.payload} />
          <span class="tile-score" title="Similarity">
            {score(hit.score)}
          </span>
          <Said told={told} seen={seen} by={told === null ? null : marked.by(told)} />
        </span>
      </button>
      <MarkButtons hit={hit} name={name} mark={told?.mark ?? null} onMark={marked.mark} />
      <TileActs hit={hit} name={name} marked={marked} />
    </li>
  );
}

/** Where in its video it is, where it is in one. */
export function Stamp({ payload }: { payload: Payload | undefined }): VNode | null {
  const moment = momentOf(payload);
  return moment && <span class="stamp">{clock(moment.atS)}</span>;
}

/** For ears, but for the name of another member, which stands in a corner. */
function Said({ told, seen, by }: { told: Told | null; seen: boolean; by: string | null }): VNode | null {
  if (told === null) return seen ? <span class="hidden">seen</span> : null;
  if (by === null) return <span class="hidden">{told.mark}</span>;
  return (
    <span class="tile-by" data-testid="marked-by">
      <span class="hidden">{told.mark} by </span>
      {by}
    </span>
  );
}

const BUTTONS: readonly (readonly [Mark, IconName, string, string])[] = [
  ["good", "good", "Good example", "g"],
  ["bad", "bad", "Bad example", "b"],
  ["hidden", "hide", "Hide", "x"],
];

/** For the mouse; keys do the same, and where one taps there is no room: there the opened picture has them. */
function TileActs({ hit, name, marked }: { hit: Hit; name: string; marked: Marked }): VNode {
  return (
    <span class="marks tile-acts">
      <button type="button" class="round mark" tabIndex={-1} aria-label={`Similar to ${name}`} title="Similar: s" onClick={() => marked.similar(hit)} data-testid="tile-similar">
        <Icon name="similar" />
      </button>
      {marked.placed(hit) && (
        <button type="button" class="round mark" tabIndex={-1} aria-label={`Near ${name}`} title="Near this place: p" onClick={() => marked.near(hit)} data-testid="tile-near">
          <Icon name="place" />
        </button>
      )}
      {marked.grouped && (
        <button type="button" class="round mark" tabIndex={-1} aria-pressed={marked.withGroup(hit)} aria-label={`Hide the group of ${name}`} title="Hide its group: v" onClick={() => marked.hideGroup(hit)} data-testid="tile-hide-group">
          <Icon name="group" />
        </button>
      )}
    </span>
  );
}

interface MarkButtonsProps {
  hit: Pictured;
  name: string;
  mark: Mark | null;
  /** Whether tabbing stops there; in a grid, keys do the same. */
  reachable?: boolean;
  onMark: Marked["mark"];
}

export function MarkButtons({ hit, name, mark, reachable = false, onMark }: MarkButtonsProps): VNode {
  return (
    <span class="marks">
      {BUTTONS.map(([its, icon, label, key]) => (
        <button
          key={its}
          type="button"
          class={`round mark mark-${its}`}
          tabIndex={reachable ? 0 : -1}
          aria-pressed={mark === its}
          aria-label={`${label}: ${name}`}
          title={`${label}: ${key}`}
          onClick={() => onMark(its, hit)}
          data-testid={`mark-${its}`}
        >
          <Icon name={icon} />
        </button>
      ))}
    </span>
  );
}
