/** A circle or a box on the earth: as it is typed, in the address and in a filter. */

import type { Condition, Payload } from "../client/contract.ts";
import type { Point } from "./coordinates.ts";
import { readPoint, rounded, writePoint } from "./coordinates.ts";
import type { Read, Texts } from "./use-typed.ts";

export interface Circle {
  point: Point;
  km: number;
}

/** From its south-west corner to its north-east one; one that begins east of where it ends goes around the date line. */
export interface Box {
  from: Point;
  to: Point;
}

export type Area = Circle | Box;
export type Shape = "circle" | "box";

/** One area of a field at most. */
export type Areas = readonly (readonly [field: string, area: Area])[];

/** As the API has it. */
export const MAX_KM = 30_000;
export const FIRST_KM = 10;

export const isCircle = (area: Area): area is Circle => "km" in area;
export const shapeOf = (area: Area): Shape => (isCircle(area) ? "circle" : "box");

export const areaFor = (areas: Areas, field: string): Area | null => areas.find(([name]) => name === field)?.[1] ?? null;

export function withArea(areas: Areas, field: string, area: Area | null): Areas {
  const others = areas.filter(([name]) => name !== field);
  return area === null ? others : [...others, [field, area]];
}

/** As the inputs are called. */
export type Input = "around" | "km" | "from" | "to";
export const INPUTS: Readonly<Record<Shape, readonly Input[]>> = { circle: ["around", "km"], box: ["from", "to"] };

export type TypedArea = Texts<Input>;
export type AreaReading = Read<Area, Input>;

const NOTHING: AreaReading = { value: null, wrong: null, at: [] };
const wrongAt = (wrong: string, ...at: Input[]): AreaReading => ({ value: null, wrong, at });

export const readTypedArea = (shape: Shape, typed: TypedArea): AreaReading => (shape === "circle" ? readCircle(typed) : readBox(typed));

function readCircle({ around = "", km = "" }: TypedArea): AreaReading {
  if (around.trim() === "") return NOTHING;
  const point = readPoint(around);
  if (typeof point === "string") return wrongAt(point, "around");
  const size = km.trim() === "" ? NaN : Number(km);
  const fits = size > 0 && size <= MAX_KM;
  return fits ? { ...NOTHING, value: { point, km: size } } : wrongAt(`The radius is a number of kilometres, at most ${MAX_KM}.`, "km");
}

function readBox({ from = "", to = "" }: TypedArea): AreaReading {
  const empty = INPUTS.box.filter((end) => (end === "from" ? from : to).trim() === "");
  if (empty.length === 2) return NOTHING;
  if (empty.length > 0) return { ...wrongAt("The other corner is missing.", ...empty), unfinished: true };
  const [one, other] = [readPoint(from), readPoint(to)];
  if (typeof one === "string") return wrongAt(one, "from");
  if (typeof other === "string") return wrongAt(other, "to");
  if (one.lat >= other.lat) return wrongAt("The first corner is the south-west one: it lies south of the second.", "from", "to");
  return { ...NOTHING, value: { from: one, to: other } };
}

/** What is of the other shape does not stand there; a radius does before a place. */
export function typedArea(shape: Shape, area: Area | null): TypedArea {
  if (area === null || shapeOf(area) !== shape) return shape === "circle" ? { around: "", km: String(FIRST_KM) } : { from: "", to: "" };
  return isCircle(area) ? { around: writePoint(area.point), km: String(area.km) } : { from: writePoint(area.from), to: writePoint(area.to) };
}

/** As `47.37,8.54,10km`, or `47.3,8.4..47.5,8.7`. */
export function writeArea(area: Area): string {
  return isCircle(area) ? `${dense(area.point)},${area.km}km` : `${dense(area.from)}..${dense(area.to)}`;
}

const dense = ({ lat, lon }: Point): string => `${lat},${lon}`;

/** Null for what is none. */
export function readArea(text: string): Area | null {
  const [, around, km] = /^(.+),([^,]+)km$/.exec(text) ?? [];
  if (around !== undefined && km !== undefined) return readCircle({ around, km }).value;
  const [from, to, ...more] = text.split("..");
  return from !== undefined && to !== undefined && more.length === 0 ? readBox({ from, to }).value : null;
}

export function wordsOfArea(field: string, area: Area): string {
  if (isCircle(area)) return `${field} within ${area.km} km of ${writePoint(area.point)}`;
  return `${field} between ${writePoint(area.from)} and ${writePoint(area.to)}`;
}

/** To the millimetre: a product of kilometres has a long tail. */
export function conditionOf(key: string, area: Area): Condition {
  if (isCircle(area)) return { key, geo_radius: { center: { lon: area.point.lon, lat: area.point.lat }, radius: Math.round(area.km * 1e6) / 1e3 } };
  const { from, to } = area;
  return { key, geo_bounding_box: { top_left: { lon: from.lon, lat: to.lat }, bottom_right: { lon: to.lon, lat: from.lat } } };
}

/** Null for another condition. */
export function areaOf({ geo_radius: circle, geo_bounding_box: box }: Condition): Area | null {
  if (circle) return { point: rounded(circle.center), km: circle.radius / 1e3 };
  if (!box) return null;
  const [topLeft, bottomRight] = [rounded(box.top_left), rounded(box.bottom_right)];
  return { from: { lat: bottomRight.lat, lon: topLeft.lon }, to: { lat: topLeft.lat, lon: bottomRight.lon } };
}

export const areaFields = (payload: Readonly<Record<string, string>>): string[] => Object.keys(payload).filter((field) => payload[field] === "geo");

/** Where an item was, by one of its fields; several where that is a list. */
export function pointsOf(payload: Payload | undefined, field: string): Point[] {
  const value = payload?.[field] ?? field.split(".").reduce<unknown>((inner, name) => (isObject(inner) ? inner[name] : undefined), payload);
  const values: unknown[] = Array.isArray(value) ? value : [value];
  return values.flatMap((one) => (isObject(one) && isAngle(one.lat, 90) && isAngle(one.lon, 180) ? [{ lat: one.lat, lon: one.lon }] : []));
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;

const isAngle = (value: unknown, most: number): value is number => typeof value === "number" && Math.abs(value) <= most;
