/** Where an arrow key leads in a grid that wraps by itself, and in which a line may end a row early. */

/** Where a tile's upper left corner stands, in pixels. */
export interface Corner {
  left: number;
  top: number;
}

type Move = (from: number, corners: readonly Corner[]) => number | null;

const MOVES: ReadonlyMap<string, Move> = new Map<string, Move>([
  ["ArrowRight", (from, { length }) => (from + 1 < length ? from + 1 : null)],
  ["ArrowLeft", (from) => (from > 0 ? from - 1 : null)],
  ["ArrowDown", below],
  ["ArrowUp", above],
  ["Home", () => 0],
  ["End", (_, { length }) => length - 1],
]);

/** Above the grid, where the box is. */
export const ABOVE = -1;

/** The index to go to, ABOVE, or null where the key leads nowhere. */
export function step(key: string, from: number, corners: readonly Corner[]): number | null {
  return MOVES.get(key)?.(from, corners) ?? null;
}

function below(from: number, corners: readonly Corner[]): number | null {
  const here = corners[from];
  const next = corners.find(({ top }) => here !== undefined && top > here.top);
  return here === undefined || next === undefined ? null : nearest(corners, next.top, here.left);
}

function above(from: number, corners: readonly Corner[]): number {
  const here = corners[from];
  const next = corners.findLast(({ top }) => here !== undefined && top < here.top);
  return here === undefined || next === undefined ? ABOVE : nearest(corners, next.top, here.left);
}

/** The tile of a row that stands in a column, or the row's last where it ends before. */
function nearest(corners: readonly Corner[], top: number, left: number): number {
  return corners.findLastIndex((corner) => corner.top === top && corner.left <= left);
}
