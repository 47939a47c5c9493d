/** Numbers, times and payloads as people read them. */

import type { Payload, Took } from "../client/contract.ts";

const SECOND_MS = 1_000;
const MINUTE_S = 60;
const HOUR_S = 3_600;
const DAY_S = 86_400;
const numbers = new Intl.NumberFormat("en");

export function count(value: number): string {
  return numbers.format(value);
}

export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

export function duration(ms: number): string {
  if (ms === 0) return "0 ms";
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < SECOND_MS) return `${Math.round(ms)} ms`;
  return age(ms / SECOND_MS);
}

export function age(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < MINUTE_S) return `${Math.round(seconds)} s`;
  if (seconds < HOUR_S) return `${Math.floor(seconds / MINUTE_S)} min`;
  if (seconds < DAY_S) return `${Math.floor(seconds / HOUR_S)} h`;
  return `${Math.floor(seconds / DAY_S)} d`;
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"] as const;

export function bytes(value: number): string {
  const power = Math.min(UNITS.length - 1, Math.floor(Math.log2(Math.max(1, value)) / 10));
  const scaled = value / 2 ** (10 * power);
  return `${scaled < 10 && power > 0 ? scaled.toFixed(1) : Math.round(scaled)} ${UNITS[power] ?? "B"}`;
}

export function ago(iso: string, nowMs: number): string {
  const seconds = Math.max(0, (nowMs - Date.parse(iso)) / SECOND_MS);
  if (seconds < 1.5) return "just now";
  return seconds < MINUTE_S ? `${Math.round(seconds)} s ago` : `${age(seconds)} ago`;
}

export function moment(iso: string): string {
  return new Date(iso).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" });
}

export function score(value: number): string {
  return value.toFixed(3);
}

export function stages(took: Took): string {
  const parts = [
    ["queue", took.queue_ms],
    ["encode", took.encode_ms],
    ["search", took.search_ms],
    ["total", took.total_ms],
  ] as const;
  return parts.map(([name, ms]) => `${name} ${duration(ms)}`).join(" · ");
}

/** What a picture is called: its payload's label, else the file that it came from, else its id. */
export function nameOf(id: number, payload?: Payload, source?: string): string {
  const label = payload?.label;
  if (typeof label === "string" && label.trim() !== "") return label;
  const file = source?.split("/").at(-1) ?? "";
  return file === "" ? `picture ${id}` : file;
}

export function plain(value: unknown): string {
  if (Array.isArray(value)) return value.map(plain).join(", ");
  if (typeof value === "string") return value;
  return value === undefined ? "" : JSON.stringify(value);
}

/** A job's lane as its queue is called: of another model than the default one with that behind it. */
export const laneOf = ({ lane, model_name: model }: { lane: string; model_name: string }): string =>
  model === "default" ? lane : `${lane}@${model}`;
