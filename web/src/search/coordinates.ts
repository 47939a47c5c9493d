/** A place as people write it: 47.37, 8.54; 47.37° N, 8.54° E; 47°22'12" N 8°32'24" E. */

/** In degrees, east and north of zero. */
export interface Point {
  lat: number;
  lon: number;
}

/** A tenth of a metre. */
const DIGITS = 6;
const BELOW_ZERO = new Set(["-", "S", "W"]);
const ANGLE = String.raw`([+-])?(\d+(?:\.\d+)?)(?:\s*°)?(?:\s*(\d+(?:\.\d+)?)\s*')?(?:\s*(\d+(?:\.\d+)?)\s*")?`;
const BETWEEN = String.raw`(?:[\s,;/]+|(?<=[NSEW]))`;
const AFTER = new RegExp(`^${ANGLE}\\s*([NSEW])?${BETWEEN}${ANGLE}\\s*([NSEW])?$`);
const BEFORE = new RegExp(`^([NSEW])\\s*${ANGLE}[\\s,;/]*([NSEW])\\s*${ANGLE}$`);

export const UNREADABLE = "That is no place: give latitude and longitude, as 47.37, 8.54.";
export const OUTSIDE = "Latitude lies between −90 and 90, longitude between −180 and 180.";

/** The place, or what is wrong with it. */
export function readPoint(text: string): Point | string {
  const pair = inOrder(anglesIn(plain(text)));
  if (pair === null) return UNREADABLE;
  const [lat, lon] = pair.map(({ degrees }) => degrees) as [number, number];
  return Math.abs(lat) > 90 || Math.abs(lon) > 180 ? OUTSIDE : { lat, lon };
}

export const writePoint = ({ lat, lon }: Point): string => `${lat}, ${lon}`;

export function rounded({ lat, lon }: Point, digits = DIGITS): Point {
  return { lat: fixed(lat, digits), lon: fixed(lon, digits) };
}

/** Without the zero's sign. */
const fixed = (value: number, digits: number): number => Number(value.toFixed(digits)) + 0;

/** As keyboards have them. */
function plain(text: string): string {
  const signs: readonly (readonly [RegExp, string])[] = [
    [/[−–]/g, "-"],
    [/[′’ʹ]/g, "'"],
    [/[″”ʺ]|''/g, '"'],
    [/[º˚]/g, "°"],
    [/^geo:|[()]/g, ""],
  ];
  return signs.reduce((told, [sign, by]) => told.replace(sign, by), text).trim().toUpperCase();
}

interface Angle {
  degrees: number;
  /** N, S, E or W, where it is said. */
  side: string;
}

/** Two, or none. */
function anglesIn(text: string): (Angle | null)[] {
  const [, ...after] = AFTER.exec(text) ?? [];
  if (after.length > 0) return [angle(after.slice(0, 4), after[4]), angle(after.slice(5, 9), after[9])];
  const [, ...before] = BEFORE.exec(text) ?? [];
  return before.length > 0 ? [angle(before.slice(1, 5), before[0]), angle(before.slice(6, 10), before[5])] : [];
}

/** Latitude first, unless their sides say otherwise; null for two of a kind. */
function inOrder([one, other]: readonly (Angle | null)[]): [Angle, Angle] | null {
  if (!one || !other) return null;
  if (mayBe(one, "NS") && mayBe(other, "EW")) return [one, other];
  return mayBe(other, "NS") && mayBe(one, "EW") ? [other, one] : null;
}

const mayBe = ({ side }: Angle, sides: string): boolean => side === "" || sides.includes(side);

/** Of degrees, minutes and seconds; null for one with both a sign and a side, and for 60 minutes. */
function angle([sign = "", ...parts]: readonly (string | undefined)[], side = ""): Angle | null {
  const [degrees, minutes, seconds] = parts.map((part) => Number(part ?? 0)) as [number, number, number];
  if (Math.max(minutes, seconds) >= 60 || (sign !== "" && side !== "")) return null;
  const size = degrees + minutes / 60 + seconds / 3_600;
  return { degrees: fixed(BELOW_ZERO.has(sign + side) ? -size : size, DIGITS), side };
}
