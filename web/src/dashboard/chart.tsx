/** A chart that fits its place, follows the colours of the page and takes new data without being made again. */

import type { VNode } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";

import "uplot/dist/uPlot.min.css";

export interface Theme {
  ink: string;
  soft: string;
  line: string;
  accent: string;
  bad: string;
  warn: string;
  good: string;
}

export type Build = (theme: Theme) => Omit<uPlot.Options, "width" | "height">;

export interface ChartProps {
  /** Says what there is to see, for who cannot see it. */
  label: string;
  /** Must keep its identity as long as the chart has the same shape. */
  build: Build;
  data: uPlot.AlignedData;
  height?: number;
  testid?: string;
}

export function Chart({ label, build, data, height = 190, testid }: ChartProps): VNode {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(null);
  const latest = useRef(data);
  latest.current = data;
  const dark = useDark();
  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    const size = { width: Math.max(120, element.clientWidth), height };
    const made = new uPlot({ ...build(themeOf(element)), ...size }, latest.current, element);
    plot.current = made;
    const observer = new ResizeObserver(() => {
      const width = Math.max(120, element.clientWidth);
      if (width !== made.width) made.setSize({ width, height });
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [build, height, dark]);
  useEffect(() => plot.current?.setData(data), [data]);
  return <div ref={place} class="chart" role="img" aria-label={label} data-testid={testid} />;
}

/** The scheme is part of what a canvas is painted with. */
function useDark(): boolean {
  const [query] = useState(() => matchMedia("(prefers-color-scheme: dark)"));
  const [dark, setDark] = useState(query.matches);
  useEffect(() => {
    const change = (): void => setDark(query.matches);
    query.addEventListener("change", change);
    return () => query.removeEventListener("change", change);
  }, [query]);
  return dark;
}

function themeOf(element: HTMLElement): Theme {
  const style = getComputedStyle(element);
  const of = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  return {
    ink: of("ink"),
    soft: of("soft"),
    line: of("line"),
    accent: of("accent"),
    bad: of("bad"),
    warn: of("warn"),
    good: of("good"),
  };
}

/** Series that tell one quantity by colour and, for who does not see colours, by their dashes. */
export const DASHES: readonly (number[] | undefined)[] = [undefined, [6, 4], [2, 3], [10, 3, 2, 3]];

const HOUR_S = 3_600;
const DAY_S = 86_400;

export function timeAxis(theme: Theme): uPlot.Axis {
  return {
    stroke: theme.soft,
    grid: { show: false },
    ticks: { stroke: theme.line, size: 4 },
    size: 30,
    font: "12px system-ui, sans-serif",
    space: 64,
    values: (_, splits) => splits.map((at) => clock(at, (splits.at(-1) ?? 0) - (splits[0] ?? 0))),
  };
}

function clock(at: number, spanS: number): string {
  const moment = new Date(at * 1_000);
  if (spanS > 2 * DAY_S) return moment.toLocaleDateString("en-GB", { weekday: "short", day: "numeric" });
  const seconds = spanS < HOUR_S / 10 ? ({ second: "2-digit" } as const) : {};
  return moment.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", ...seconds });
}

export function valueAxis(theme: Theme, shown: (value: number) => string): uPlot.Axis {
  return {
    stroke: theme.soft,
    grid: { stroke: theme.line, width: 1 },
    ticks: { show: false },
    font: "12px system-ui, sans-serif",
    size: 56,
    values: (_, splits) => splits.map((value: number | null) => (value === null ? "" : shown(value))),
  };
}

/** Points where a line would have no length: values with none before and after them. */
export const LONE: uPlot.Series.Points = {
  show: false,
  size: 5,
  filter: (plot, series) => lone(plot.data[series] ?? []),
};

export function lone(values: ArrayLike<number | null | undefined>): number[] {
  const known = (at: number): boolean => typeof values[at] === "number";
  return Array.from(values, (_, at) => at).filter((at) => known(at) && !known(at - 1) && !known(at + 1));
}

/** The steps' beginnings, in seconds since 1970. */
export function times(startsAt: string, stepS: number, count: number): number[] {
  const first = Date.parse(startsAt) / 1_000;
  return Array.from({ length: count }, (_, step) => first + step * stepS);
}
