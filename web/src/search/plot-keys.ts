/** An area on a plot by keys: arrows move it, + and − change its size, shifted arrows move the plot. */

import type { Area, Box, Shape } from "./areas.ts";
import { isCircle } from "./areas.ts";
import { rounded } from "./coordinates.ts";
import { destination } from "./near.ts";
import type { Spot, View } from "./plot-view.ts";
import { drawn, even, pointAt, spotOf, turned } from "./plot-view.ts";

const STEP_PX = 12;
const GROWTH = 1.25;
const WAYS: Readonly<Record<string, Spot>> = {
  ArrowLeft: { x: -STEP_PX, y: 0 },
  ArrowRight: { x: STEP_PX, y: 0 },
  ArrowUp: { x: 0, y: -STEP_PX },
  ArrowDown: { x: 0, y: STEP_PX },
};
const SIZES: Readonly<Record<string, number>> = { "+": GROWTH, "=": GROWTH, "-": 1 / GROWTH, "−": 1 / GROWTH };
const EAST = Math.PI / 2;

/** Null for a key that does nothing to it; where there is none, one begins in the middle. */
export function byKey(key: string, view: View, shape: Shape, area: Area | null): Area | null {
  const [way, size] = [WAYS[key], SIZES[key]];
  if (way === undefined && size === undefined) return null;
  if (area === null) return first(view, shape);
  return way === undefined ? resized(area, size ?? 1) : moved(view, area, way);
}

/** Null for a key that does not move it. */
export function panned(key: string, view: View): View | null {
  const way = WAYS[key];
  if (way === undefined) return null;
  const middle = pointAt(view, { x: view.width / 2 + 4 * way.x, y: view.height / 2 + 4 * way.y });
  return { ...view, middle };
}

function first(view: View, shape: Shape): Area | null {
  const [x, y, size] = [view.width / 2, view.height / 2, view.height / 6];
  return shape === "circle" ? drawn(view, shape, { x, y }, { x: x + size, y }) : drawn(view, shape, { x: x - size, y: y - size }, { x: x + size, y: y + size });
}

function moved(view: View, area: Area, way: Spot): Area | null {
  if (isCircle(area)) {
    const { x, y } = spotOf(view, area.point);
    return { ...area, point: pointAt(view, { x: x + way.x, y: y + way.y }) };
  }
  const [one, other] = [pointAt(view, { x: 0, y: 0 }), pointAt(view, { x: Math.abs(way.x), y: Math.abs(way.y) })];
  const north = Math.sign(-way.y) * Math.abs(one.lat - other.lat);
  const east = Math.sign(way.x) * Math.abs(turned(other.lon - one.lon));
  return boxOf({ south: area.from.lat + north, north: area.to.lat + north, west: area.from.lon + east, wide: widthOf(area) });
}

function resized(area: Area, by: number): Area | null {
  if (isCircle(area)) return { ...area, km: even(area.km * by) };
  const tall = ((area.to.lat - area.from.lat) * (by - 1)) / 2;
  const wide = (widthOf(area) * (by - 1)) / 2;
  return boxOf({ south: area.from.lat - tall, north: area.to.lat + tall, west: area.from.lon - wide, wide: widthOf(area) + 2 * wide });
}

/** Degrees from its west to its east. */
export const widthOf = ({ from, to }: Box): number => to.lon - from.lon + (to.lon < from.lon ? 360 : 0);

/** Null for a box past a pole, or all around the earth. */
function boxOf({ south, north, west, wide }: Record<"south" | "north" | "west" | "wide", number>): Box | null {
  if (south < -90 || north > 90 || wide >= 360) return null;
  return { from: rounded({ lat: south, lon: turned(west) }), to: rounded({ lat: north, lon: turned(west + wide) }) };
}

/** What must be in sight of it. */
export function extentOf(area: Area): { lat: number; lon: number }[] {
  if (!isCircle(area)) return [area.from, area.to];
  const [n, e, s, w] = [0, EAST, 2 * EAST, 3 * EAST].map((towards) => destination(area.point, area.km, towards));
  return [n, e, s, w].flatMap((point) => (point === undefined ? [] : [{ lat: point.lat, lon: turned(point.lon) }]));
}
