/** Distances on the earth, and how far around a picture "near" is. */

import type { Payload } from "../client/contract.ts";
import type { Areas, Circle } from "./areas.ts";
import { areaFields, areaFor, FIRST_KM, isCircle, pointsOf } from "./areas.ts";
import type { Point } from "./coordinates.ts";
import { rounded } from "./coordinates.ts";

/** Mean radius of the earth, IUGG. */
const EARTH_KM = 6_371.0088;
const RAD = Math.PI / 180;
/** About a metre; a camera knows no better. */
const DIGITS = 5;
/** So many of those shown lie near another. */
const COMPANY = 8;
const WIDTHS_KM = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000];

/** Along the sphere, by the haversine. */
export function distanceKm(one: Point, other: Point): number {
  const [dLat, dLon] = [(other.lat - one.lat) * RAD, (other.lon - one.lon) * RAD];
  const part = Math.sin(dLat / 2) ** 2 + Math.cos(one.lat * RAD) * Math.cos(other.lat * RAD) * Math.sin(dLon / 2) ** 2;
  return 2 * EARTH_KM * Math.asin(Math.min(1, Math.sqrt(part)));
}

/** Where one arrives that far in a direction, in radians from north; its longitude goes on past 180. */
export function destination({ lat, lon }: Point, km: number, towards: number): Point {
  const [from, far] = [lat * RAD, km / EARTH_KM];
  const to = Math.asin(Math.sin(from) * Math.cos(far) + Math.cos(from) * Math.sin(far) * Math.cos(towards));
  const turned = Math.atan2(Math.sin(towards) * Math.sin(far) * Math.cos(from), Math.cos(far) - Math.sin(from) * Math.sin(to));
  return { lat: to / RAD, lon: lon + turned / RAD };
}

export interface Nearby {
  field: string;
  circle: Circle;
}

interface Around {
  fields: Readonly<Record<string, string>>;
  /** A circle that is there keeps its width. */
  areas: Areas;
  /** Those beside it. */
  shown: readonly (Payload | undefined)[];
}

/** Around a picture by its first field that has a place; null where it has none. */
export function nearOf(payload: Payload | undefined, { fields, areas, shown }: Around): Nearby | null {
  for (const field of areaFields(fields)) {
    const [point] = pointsOf(payload, field);
    if (point === undefined) continue;
    const before = areaFor(areas, field);
    const others = shown.flatMap((one) => pointsOf(one, field));
    const km = before !== null && isCircle(before) ? before.km : widthKm(point, others);
    return { field, circle: { point: rounded(point, DIGITS), km } };
  }
  return null;
}

/** The smallest even number that takes in some of those shown. */
export function widthKm(point: Point, shown: readonly Point[]): number {
  const far = shown.map((one) => distanceKm(point, one)).sort((one, other) => one - other)[COMPANY - 1];
  return far === undefined ? FIRST_KM : (WIDTHS_KM.find((km) => km >= far) ?? WIDTHS_KM[WIDTHS_KM.length - 1] ?? FIRST_KM);
}
