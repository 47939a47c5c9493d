/** Whether all is well, on one page. */

import type { VNode } from "preact";
import { useCallback, useMemo } from "preact/hooks";
import type uPlot from "uplot";

import type { Queue, Statistics, Worker } from "../client/contract.ts";
import { count, duration, plural } from "../ui/format.ts";
import type { Build } from "./chart.tsx";
import { Chart, DASHES, LONE, times, timeAxis, valueAxis } from "./chart.tsx";
import { Figure, LaneCard } from "./lane-card.tsx";
import type { Span } from "./operators.ts";
import { http, statistics } from "./operators.ts";
import { Status } from "./status.tsx";
import { holdersOf, troublesOf } from "./trouble.ts";
import { usePolled } from "./use-polled.ts";
import { SPANS } from "./view.ts";

interface Everything {
  told: Statistics;
  queues: Queue[];
  workers: Worker[];
}

export interface OverviewProps {
  span: Span;
  onSpan: (span: Span) => void;
}

export function Overview({ span, onSpan }: OverviewProps): VNode {
  const load = useCallback(
    async (signal: AbortSignal): Promise<Everything> => {
      const [told, queues, workers] = await Promise.all([
        statistics(span, signal),
        http.queues(signal),
        http.workers(signal),
      ]);
      return { told, queues, workers };
    },
    [span],
  );
  const polled = usePolled(load);
  const { data, refresh, atMs } = polled;
  return (
    <>
      <div class="list-head">
        <h1>Overview</h1>
        <Spans span={span} onSpan={onSpan} />
      </div>
      <Status polled={polled} />
      {data !== null && <Shown everything={data} nowMs={atMs} onChanged={refresh} />}
    </>
  );
}

function Spans({ span, onSpan }: OverviewProps): VNode {
  return (
    <div class="choice" role="group" aria-label="How far to look back">
      {SPANS.map((known) => (
        <button key={known} type="button" aria-pressed={known === span} onClick={() => onSpan(known)}>
          {known}
        </button>
      ))}
    </div>
  );
}

function Shown({ everything, nowMs, onChanged }: { everything: Everything; nowMs: number; onChanged: () => void }): VNode {
  const { told, queues, workers } = everything;
  const troubles = troublesOf(workers, queues, nowMs);
  return (
    <>
      {troubles.length > 0 && (
        <ul role="list" class="troubles" data-testid="troubles">
          {troubles.map((text) => (
            <li key={text}>{text}</li>
          ))}
        </ul>
      )}
      {told.lost > 0 && (
        <p class="soft">Events went {plural(told.lost, "time")} before they were counted: what is shown has gaps.</p>
      )}
      <section aria-label="Queues" class="lanes" data-testid="queues">
        {queues.map((queue) => {
          const lane = told.lanes.find(({ name }) => name === queue.name);
          return lane && <LaneCard key={queue.name} queue={queue} lane={lane} statistics={told} onChanged={onChanged} />;
        })}
      </section>
      <div class="lanes">
        <Errors told={told} />
        <Devices told={told} workers={workers} holders={holdersOf(workers, queues)} />
      </div>
    </>
  );
}

const COLOURS = ["bad", "warn", "accent", "soft"] as const;

function Errors({ told }: { told: Statistics }): VNode {
  const shown = told.errors.slice(0, COLOURS.length);
  const names = shown.map(({ type }) => type).join(",");
  const build = useCallback<Build>(
    (theme) => ({
      cursor: { y: false },
      scales: { x: { time: true }, y: { range: (_, __, top) => [0, Math.max(1, top * 1.1)] } },
      axes: [timeAxis(theme), valueAxis(theme, (value) => value.toLocaleString("en"))],
      series: [
        { label: "at", value: (_, at: number | null) => (at === null ? "" : new Date(at * 1_000).toLocaleTimeString("en-GB")) },
        ...names.split(",").map((label, n) => ({
          label,
          stroke: theme[COLOURS[n] ?? "soft"],
          width: 1.5,
          points: { show: false },
          value: (_: unknown, value: number | null) => (value === null ? "–" : value.toFixed(1)),
          ...(DASHES[n] && { dash: DASHES[n] }),
        })),
      ],
    }),
    [names],
  );
  const at = times(told.starts_at, told.step_s, told.lanes[0]?.came.length ?? 0);
  const perMinute = shown.map(({ counts }) => counts.map((jobs) => (jobs * 60) / told.step_s));
  const total = told.errors.reduce((sum, { counts }) => sum + counts.reduce((a, b) => a + b, 0), 0);
  return (
    <article class="panel" data-testid="errors">
      <header class="panel-head">
        <h2>Errors a minute</h2>
        <span class={total > 0 ? "bad" : "soft"}>{total > 0 ? `${count(total)} in ${told.span}` : "none"}</span>
      </header>
      {shown.length === 0 ? (
        <p class="calm">No job failed in this time.</p>
      ) : (
        <Chart label={`Errors a minute: ${names}`} build={build} data={[at, ...perMinute]} height={190} />
      )}
    </article>
  );
}

// The library has this as a const enum, which no other module can import.
// eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment
const RIGHT = 1 as uPlot.Axis.Side;
/** There is no half an item. */
const WHOLE = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000];
const percent = (share: number): string => `${Math.round(share * 100)} %`;

interface DevicesProps {
  told: Statistics;
  workers: readonly Worker[];
  holders: readonly [string, number][];
}

function Devices({ told, workers, holders }: DevicesProps): VNode {
  const { fleet } = told;
  const build = useCallback<Build>(
    (theme) => ({
      cursor: { y: false },
      scales: { x: { time: true }, use: { range: [0, 1] }, size: { range: (_, __, top) => [0, Math.max(2, top * 1.2)] } },
      axes: [
        timeAxis(theme),
        { ...valueAxis(theme, percent), scale: "use" },
        { ...valueAxis(theme, String), scale: "size", side: RIGHT, incrs: WHOLE, grid: { show: false } },
      ],
      series: [
        { label: "at", value: (_, at: number | null) => (at === null ? "" : new Date(at * 1_000).toLocaleTimeString("en-GB")) },
        { label: "device use", scale: "use", stroke: theme.accent, fill: `${theme.accent}22`, width: 1.5, points: { show: false }, value: (_, use: number | null) => (use === null ? "–" : percent(use)) },
        { label: "items in a batch", scale: "size", stroke: theme.warn, dash: [6, 4], width: 1.5, points: LONE, value: (_, size: number | null) => (size === null ? "–" : size.toFixed(1)) },
      ],
    }),
    [],
  );
  const data = useMemo(
    () => [times(told.starts_at, told.step_s, fleet.workers.length), fleet.device_use, fleet.batch_mean] as const,
    [told, fleet],
  );
  const asked = fleet.cache_hits + fleet.cache_misses;
  const busy = workers.reduce((sum, { running }) => sum + running, 0);
  return (
    <article class="panel" data-testid="devices">
      <header class="panel-head">
        <h2>Devices</h2>
        <span class="soft">{plural(workers.length, "worker")}</span>
      </header>
      <dl class="figures">
        <Figure name="busy jobs">{count(busy)}</Figure>
        <Figure name="largest batch">{count(Math.max(0, ...workers.map((one) => one.largest_batch)))}</Figure>
        <Figure name="cache hits">{asked === 0 ? "–" : percent(fleet.cache_hits / asked)}</Figure>
        <Figure name="computed">{duration(workers.reduce((sum, one) => sum + one.busy_s * 1_000, 0))}</Figure>
      </dl>
      {holders.length > 1 && (
        <dl class="figures" data-testid="holders">
          {holders.map(([model, ready]) => (
            <Figure key={model} name={`workers of ${model}`} bad={ready === 0}>{count(ready)}</Figure>
          ))}
        </dl>
      )}
      <Chart label="Share of the time in which devices computed, and items in a batch" build={build} data={[...data]} height={150} />
    </article>
  );
}
