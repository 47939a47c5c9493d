/** When an item is to be seen in its video, as people write it. */

import type { Payload } from "../client/contract.ts";

export interface Shown {
  startS: number;
  endS: number;
  /** Of the frame that stands for it. */
  atS: number;
}

const MINUTE_S = 60;
const HOUR_S = 3_600;

/** Null for what has no time. */
export function momentOf(payload: Payload | undefined): Shown | null {
  const startS = seconds(payload?.start_s);
  if (startS === null) return null;
  const endS = seconds(payload?.end_s) ?? startS;
  return { startS, endS, atS: seconds(payload?.moment_s) ?? startS };
}

const seconds = (value: unknown): number | null => (typeof value === "number" && value >= 0 ? value : null);

/** `1:02`, `1:00:02`; with `tenths` `1:02.5`. */
export function clock(timeS: number, { tenths = false } = {}): string {
  const whole = tenths ? Math.round(timeS * 10) / 10 : Math.floor(timeS);
  const [hours, minutes, rest] = [Math.floor(whole / HOUR_S), Math.floor((whole % HOUR_S) / MINUTE_S), whole % MINUTE_S];
  const told = tenths ? rest.toFixed(1).padStart(4, "0") : String(rest).padStart(2, "0");
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, "0")}:${told}` : `${minutes}:${told}`;
}
