/** A piece of the earth on a plot: longitude to the right, latitude up, both as long as they are in its middle. */

import type { Area, Box, Circle, Shape } from "./areas.ts";
import { isCircle, MAX_KM } from "./areas.ts";
import type { Point } from "./coordinates.ts";
import { rounded } from "./coordinates.ts";
import { destination, distanceKm } from "./near.ts";

export interface View {
  middle: Point;
  /** Degrees of latitude in a pixel. */
  scale: number;
  /** Pixels. */
  width: number;
  height: number;
}

/** Right and down from the upper left corner, in pixels. */
export interface Spot {
  x: number;
  y: number;
}

const EDGE_PX = 24;
/** About a hundred metres from top to bottom. */
const LEAST_DEGREES = 0.001;
const STEPS = [0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 45, 90];
const LINES_APART_PX = 80;
const CORNERS = 72;
const RAD = Math.PI / 180;
/** Near a pole a degree of longitude has no length to speak of. */
const LEAST_SQUEEZE = 0.15;

type Size = Pick<View, "width" | "height">;

const squeeze = (middle: Point): number => Math.max(LEAST_SQUEEZE, Math.cos(middle.lat * RAD));

/** All of the points, and some room around them; the whole earth where there are none. */
export function viewOf(points: readonly Point[], size: Size): View {
  if (points.length === 0) return whole(size);
  const lats = points.map(({ lat }) => lat);
  const [south, north] = [Math.min(...lats), Math.max(...lats)];
  const [west, east] = narrowest(points.map(({ lon }) => lon));
  const middle = { lat: (south + north) / 2, lon: turned((west + east) / 2) };
  const tall = Math.max(north - south, LEAST_DEGREES) / (size.height - 2 * EDGE_PX);
  const wide = ((east - west) * squeeze(middle)) / (size.width - 2 * EDGE_PX);
  return bounded({ middle, scale: Math.max(tall, wide), ...size });
}

const whole = (size: Size): View => bounded({ middle: { lat: 0, lon: 0 }, scale: 1e3, ...size });

/** `by` 2 shows twice as much. */
export const zoomed = (view: View, by: number): View => bounded({ ...view, scale: view.scale * by });

/** No more than the earth, no less than a street. */
function bounded(view: View): View {
  const most = Math.max(180 / view.height, (360 * squeeze(view.middle)) / view.width);
  return { ...view, scale: Math.min(most, Math.max(view.scale, LEAST_DEGREES / view.height)) };
}

/** The shortest arc with all of them, which may go on past 180: the widest gap is left out. */
function narrowest(lons: readonly number[]): [west: number, east: number] {
  const sorted = [...lons].sort((one, other) => one - other);
  const [first = 0] = sorted;
  const gaps = sorted.map((lon, place) => (sorted[place + 1] ?? first + 360) - lon);
  const last = gaps.indexOf(Math.max(...gaps));
  const west = sorted[last + 1] ?? first;
  const east = sorted[last] ?? first;
  return [west, east < west ? east + 360 : east];
}

/** From −180 to 180. */
export function turned(lon: number): number {
  return lon >= -180 && lon <= 180 ? lon : ((((lon + 180) % 360) + 360) % 360) - 180;
}

/** The nearer way around. */
export function spotOf(view: View, point: Point): Spot {
  return across(view, point.lat, turned(point.lon - view.middle.lon));
}

/** `east` of the middle, in degrees, however many. */
function across({ middle, scale, width, height }: View, lat: number, east: number): Spot {
  return { x: width / 2 + (east * squeeze(middle)) / scale, y: height / 2 - (lat - middle.lat) / scale };
}

/** To as many digits as a pixel tells. */
export function pointAt(view: View, { x, y }: Spot): Point {
  const { middle, scale, width, height } = view;
  const lat = middle.lat - (y - height / 2) * scale;
  const lon = turned(middle.lon + ((x - width / 2) * scale) / squeeze(middle));
  return rounded({ lat: Math.min(90, Math.max(-90, lat)), lon }, digitsOf(view));
}

const digitsOf = ({ scale }: View): number => Math.min(6, Math.max(0, Math.ceil(-Math.log10(scale))));

/** From where a drag began to where it is; null where it has no size yet. */
export function drawn(view: View, shape: Shape, begun: Spot, now: Spot): Area | null {
  const [one, other] = [pointAt(view, begun), pointAt(view, now)];
  if (shape === "circle") {
    const km = even(distanceKm(one, other));
    return km > 0 ? { point: one, km } : null;
  }
  const [left, right] = begun.x < now.x ? [one, other] : [other, one];
  const box = { from: { lat: Math.min(one.lat, other.lat), lon: left.lon }, to: { lat: Math.max(one.lat, other.lat), lon: right.lon } };
  return box.from.lat === box.to.lat || left.lon === right.lon ? null : box;
}

/** A radius to three figures. */
export const even = (km: number): number => Math.min(MAX_KM, Number(km.toPrecision(3)));

/** As the `d` of a path. */
export function outline(view: View, area: Area): string {
  const corners = isCircle(area) ? around(view, area) : cornersOf(view, area);
  return `M${corners.map(({ x, y }) => `${x.toFixed(1)},${y.toFixed(1)}`).join("L")}Z`;
}

function cornersOf(view: View, { from, to }: Box): Spot[] {
  const west = turned(from.lon - view.middle.lon);
  const east = west + (from.lon <= to.lon ? to.lon - from.lon : to.lon + 360 - from.lon);
  return [across(view, to.lat, west), across(view, to.lat, east), across(view, from.lat, east), across(view, from.lat, west)];
}

/** One that holds a pole reaches it along the whole edge of the plot. */
function around(view: View, { point, km }: Circle): Spot[] {
  const west = turned(point.lon - view.middle.lon);
  const edge = Array.from({ length: CORNERS }, (_, place) => {
    const { lat, lon } = destination(point, km, (place / CORNERS) * 2 * Math.PI);
    return { lat, east: turned(lon - point.lon) };
  });
  const pole = poleIn({ point, km });
  if (pole === null) return edge.map(({ lat, east }) => across(view, lat, west + east));
  const along = edge.sort((one, other) => one.east - other.east).map(({ lat, east }) => across(view, lat, west + east));
  return [across(view, pole, west - 180), ...along, across(view, pole, west + 180)];
}

function poleIn({ point, km }: Circle): number | null {
  if (distanceKm(point, { lat: 90, lon: 0 }) < km) return 90;
  return distanceKm(point, { lat: -90, lon: 0 }) < km ? -90 : null;
}

export interface Line {
  at: number;
  told: string;
}

/** Meridians and parallels to read the plot by. */
export function linesOf(view: View): { lats: Line[]; lons: Line[] } {
  const { middle, scale, width, height } = view;
  const tall = (height / 2) * scale;
  const wide = ((width / 2) * scale) / squeeze(middle);
  const lats = multiples(middle.lat - tall, middle.lat + tall, LINES_APART_PX * scale).filter((lat) => Math.abs(lat) <= 90);
  const lons = multiples(middle.lon - wide, middle.lon + wide, (LINES_APART_PX * scale) / squeeze(middle));
  return {
    lats: lats.map((lat) => ({ at: across(view, lat, 0).y, told: degrees(lat, "N", "S") })),
    lons: lons.map((lon) => ({ at: across(view, 0, lon - middle.lon).x, told: degrees(turned(lon), "E", "W") })),
  };
}

function multiples(from: number, to: number, apart: number): number[] {
  const step = STEPS.find((one) => one >= apart) ?? 90;
  const first = Math.ceil(from / step);
  return Array.from({ length: Math.max(0, Math.floor(to / step) - first + 1) }, (_, place) => Number(((first + place) * step).toFixed(4)));
}

const degrees = (value: number, above: string, below: string): string => `${Math.abs(value)}°${value === 0 ? "" : value > 0 ? ` ${above}` : ` ${below}`}`;
