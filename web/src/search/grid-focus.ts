/** Keeps the keyboard's place in the grid: whoever looks through pictures by keys goes on where the next ones are. */

import type { RefObject } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";

import type { Hit } from "../client/contract.ts";

export const GRID_ID = "hits";

export function tilesIn(): HTMLButtonElement[] {
  return [...document.querySelectorAll<HTMLButtonElement>(`#${GRID_ID} button.tile`)];
}

/** From elsewhere: to the picture where one was before, or the first one in sight where that is out of sight. */
export function enterGrid(): void {
  const tiles = tilesIn();
  const known = tiles.find(({ tabIndex }) => tabIndex === 0);
  const tile = known && isInSight(known) ? known : (tiles.find(isInSight) ?? known);
  tile?.focus();
}

/** The focus without a jump where the picture is in sight, else its row at the top. */
function reveal(tile: HTMLElement | undefined): void {
  tile?.focus({ preventScroll: true });
  if (tile && !isInSight(tile)) tile.scrollIntoView({ block: "start" });
}

/** To a picture by its place among those that are shown. */
export const leadTo = (index: number): void => reveal(tilesIn()[index]);

function isInSight(tile: Element): boolean {
  const { top, bottom } = tile.getBoundingClientRect();
  const above = [...document.querySelectorAll(".ask, .controls")].filter((one) => getComputedStyle(one).position === "sticky");
  const covered = Math.max(0, ...above.map((one) => one.getBoundingClientRect().bottom));
  return top >= covered && bottom <= innerHeight;
}

/** Whether other pictures came in the place of those, not further ones behind them. */
const areOthers = (before: readonly Hit[], now: readonly Hit[]): boolean => before[0] !== now[0] || before.length > now.length;

/** When others come, the keys mean the first of them, also where one that had the focus now stands elsewhere. */
export function useFocusKept(list: RefObject<HTMLElement | null>, hits: readonly Hit[], onOthers: () => void): void {
  const had = useRef(false);
  const before = useRef(hits);
  useEffect(() => {
    const look = ({ target }: FocusEvent): void => void (had.current = target instanceof Node && list.current?.contains(target) === true);
    document.addEventListener("focusin", look);
    return () => document.removeEventListener("focusin", look);
  }, [list]);
  useLayoutEffect(() => {
    const others = areOthers(before.current, hits);
    before.current = hits;
    if (!others) return;
    onOthers();
    if (had.current) reveal(tilesIn()[0]);
    // Only what is found is looked at here.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [hits]);
}

/** Asking for more leads to the first that is new, unless one has gone elsewhere meanwhile. */
export function useOnwards(shown: number, more: () => void): () => void {
  const from = useRef<number | null>(null);
  useLayoutEffect(() => {
    const place = from.current;
    if (place === null || shown === place) return;
    from.current = null;
    if (shown > place && isAmongResults()) reveal(tilesIn()[place]);
  }, [shown]);
  return () => {
    from.current = shown;
    more();
  };
}

/** Where the page may lead on by itself: other pictures take the focus that those before them had, or it goes with those. */
export function isAmongResults(): boolean {
  const focused = document.activeElement;
  return focused === null || focused === document.body || focused.closest(".results") !== null;
}
