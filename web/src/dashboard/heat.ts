/** How long jobs waited, as a map of counts over time, with the age of the oldest waiting job drawn over it:
 * waits are only known of jobs that started, so the map alone falls silent just when a queue stalls. */

import type uPlot from "uplot";

import type { LaneHistory } from "../client/contract.ts";
import { duration } from "../ui/format.ts";
import type { Build, Theme } from "./chart.tsx";
import { timeAxis, valueAxis } from "./chart.tsx";

export interface Heat {
  boundsMs: readonly number[];
  stepS: number;
  waits: readonly (readonly number[])[];
  /** The oldest that waited at any time. */
  oldestMs: number;
}

// The library has this as a const enum, which no other module can import.
// eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment
const LOGARITHMIC = 3 as uPlot.Scale.Distr;
const LEAST_MS = 0.5;
const ROOM = 1.6;
const DECADES_MS = [1, 10, 100, 1e3, 1e4, 1e5, 1e6];

/** One beyond the scale would be written outside of the chart, where it is cut off. */
const decades = (_: uPlot, __: number, least: number, most: number): number[] =>
  DECADES_MS.filter((ms) => ms >= least && ms <= most);

/** `heat` is read at each drawing, so that new data needs no new chart. */
export function heatChart(heat: { current: Heat }): Build {
  return (theme) => ({
    cursor: { y: false },
    legend: { live: true },
    scales: {
      // The newest step's cells begin where the others end.
      x: { time: true, range: (_, first, last) => [first, last + heat.current.stepS] },
      y: { distr: LOGARITHMIC, range: () => [LEAST_MS, topOf(heat.current) * ROOM] },
    },
    axes: [timeAxis(theme), { ...valueAxis(theme, duration), splits: decades }],
    series: [
      { label: "at", value: (_, at: number | null) => (at === null ? "" : new Date(at * 1_000).toLocaleTimeString("en-GB")) },
      line("oldest waiting", theme.bad, undefined, 2),
      line("95 % waited less", theme.accent, [5, 4], 1.5),
    ],
    hooks: { drawAxes: [(plot) => paint(plot, heat.current, theme)] },
  });
}

function line(label: string, stroke: string, dash: number[] | undefined, width: number): uPlot.Series {
  const value = (_: uPlot, ms: number | null): string => (ms === null ? "–" : duration(ms));
  return { label, stroke, width, value, points: { size: 4 }, spanGaps: false, ...(dash && { dash }) };
}

export function heatData(at: number[], lane: LaneHistory): uPlot.AlignedData {
  return [at, lane.oldest_age_ms.map((ms) => (ms > 0 ? Math.max(ms, LEAST_MS) : null)), lane.wait_p95_ms];
}

/** What the scale must reach: the longest wait, the oldest job, and a second at least. */
function topOf({ boundsMs, waits, oldestMs }: Heat): number {
  const filled = waits.reduce((top, counts) => Math.max(top, counts.findLastIndex((count) => count > 0)), 0);
  return Math.max(1_000, boundsMs[Math.min(filled, boundsMs.length - 1)] ?? 0, oldestMs);
}

function paint(plot: uPlot, { boundsMs, stepS, waits }: Heat, theme: Theme): void {
  const most = Math.max(1, ...waits.flat());
  const { ctx } = plot;
  ctx.save();
  ctx.fillStyle = theme.accent;
  const at = plot.data[0];
  waits.forEach((counts, step) => {
    const from = at[step];
    if (from === undefined) return;
    const left = plot.valToPos(from, "x", true);
    const width = Math.max(1, plot.valToPos(from + stepS, "x", true) - left - 1);
    counts.forEach((count, bucket) => {
      if (count > 0) cell(plot, boundsMs, { left, width, bucket, alpha: shade(count, most) });
    });
  });
  ctx.restore();
}

/** Few are seen too: by the logarithm, and never fainter than a sixth. */
const shade = (count: number, most: number): number => 0.16 + 0.6 * (Math.log1p(count) / Math.log1p(most));

function cell(
  plot: uPlot,
  boundsMs: readonly number[],
  { left, width, bucket, alpha }: { left: number; width: number; bucket: number; alpha: number },
): void {
  const upper = boundsMs[Math.min(bucket, boundsMs.length - 1)] ?? LEAST_MS;
  const lower = bucket === 0 ? LEAST_MS : (boundsMs[bucket - 1] ?? LEAST_MS);
  const top = plot.valToPos(upper, "y", true);
  const bottom = plot.valToPos(lower, "y", true);
  plot.ctx.globalAlpha = alpha;
  plot.ctx.fillRect(left, top, width, Math.max(1, bottom - top - 1));
}
