/** Where an arrow key leads in a grid that wraps by itself. */

/** How many tiles share the first row, read from where they stand. */
export function columnsOf(tops: readonly number[]): number {
  const next = tops.findIndex((top) => top !== tops[0]);
  return next === -1 ? Math.max(1, tops.length) : next;
}

export interface Shape {
  total: number;
  columns: number;
}

type Move = (from: number, shape: Shape) => number | null;

const MOVES: ReadonlyMap<string, Move> = new Map<string, Move>([
  ["ArrowRight", (from, { total }) => (from + 1 < total ? from + 1 : null)],
  ["ArrowLeft", (from) => (from > 0 ? from - 1 : null)],
  ["ArrowDown", below],
  ["ArrowUp", (from, { columns }) => (from >= columns ? from - columns : ABOVE)],
  ["Home", () => 0],
  ["End", (_, { total }) => total - 1],
]);

/** Above the grid, where the box is. */
export const ABOVE = -1;

/** The index to go to, ABOVE, or null where the key leads nowhere. */
export function step(key: string, from: number, shape: Shape): number | null {
  return MOVES.get(key)?.(from, shape) ?? null;
}

/** From above a last row's gap, down leads to the last tile. */
function below(from: number, { total, columns }: Shape): number | null {
  if (from + columns < total) return from + columns;
  const lastRow = Math.floor((total - 1) / columns);
  return Math.floor(from / columns) < lastRow ? total - 1 : null;
}
