/** One queue: what waits and runs, how fast it goes, and how long jobs wait in it. */

import type { ComponentChildren, VNode } from "preact";
import { useCallback, useMemo, useRef } from "preact/hooks";

import type { LaneHistory, Quantiles, Queue, Statistics } from "../client/contract.ts";
import { count, duration } from "../ui/format.ts";
import { StateBadge } from "../ui/state-badge.tsx";
import type { Build, Theme } from "./chart.tsx";
import { Chart, times, timeAxis, valueAxis } from "./chart.tsx";
import type { Heat } from "./heat.ts";
import { heatChart, heatData } from "./heat.ts";
import { http } from "./operators.ts";
import { useActions } from "./use-action.tsx";

export interface LaneProps {
  queue: Queue;
  lane: LaneHistory;
  statistics: Statistics;
  onChanged: () => void;
}

export function LaneCard({ queue, lane, statistics, onChanged }: LaneProps): VNode {
  return (
    <article class="panel" data-testid="queue" data-name={queue.name}>
      <header class="panel-head">
        <h2>
          {queue.name} {queue.paused && <StateBadge state="paused" />}
        </h2>
        <PauseButton queue={queue} onChanged={onChanged} />
      </header>
      <Figures queue={queue} lane={lane} />
      <WaitMap lane={lane} statistics={statistics} />
      <Flow lane={lane} statistics={statistics} />
    </article>
  );
}

function PauseButton({ queue, onChanged }: { queue: Queue; onChanged: () => void }): VNode | null {
  const { ask, may } = useActions();
  if (!may) return null;
  const verb = queue.paused ? "Resume" : "Pause";
  const text = queue.paused
    ? "Its jobs are handed out again."
    : "It still accepts jobs and hands out none, until you resume it. Jobs that run go on.";
  const act = async (): Promise<string> => {
    await (queue.paused ? http.resumeQueue(queue.name) : http.pauseQueue(queue.name));
    onChanged();
    return `${queue.name} ${queue.paused ? "goes on" : "is paused"}`;
  };
  return (
    <button type="button" onClick={() => ask({ title: `${verb} ${queue.name}?`, text, verb, act })} data-testid="pause">
      {verb}
      <span class="hidden"> {queue.name}</span>
    </button>
  );
}

function Figures({ queue, lane }: { queue: Queue; lane: LaneHistory }): VNode {
  const waits = queue.depth > 0 && queue.oldest_age_s !== null;
  const late = waits && (queue.oldest_age_s ?? 0) > 10;
  return (
    <dl class="figures">
      <Figure name="waiting" note={queue.max_depth > 0 ? `of ${count(queue.max_depth)}` : ""}>
        {count(queue.depth)}
      </Figure>
      <Figure name="oldest waits" bad={late}>{waits ? duration((queue.oldest_age_s ?? 0) * 1_000) : "–"}</Figure>
      <Figure name="running">{count(queue.running)}</Figure>
      <Figure name="in / s">{rate(lane.in_per_s)}</Figure>
      <Figure name="out / s">{rate(lane.out_per_s)}</Figure>
      <Percentiles name="wait" of={lane.wait} />
      <Percentiles name="run" of={lane.run} />
    </dl>
  );
}

export function Figure(props: { name: string; note?: string; bad?: boolean; children: ComponentChildren }): VNode {
  const { name, note = "", bad = false, children } = props;
  return (
    <div class="figure">
      <dt>{name}</dt>
      <dd class={bad ? "bad" : undefined}>
        {children} {note !== "" && <small>{note}</small>}
      </dd>
    </div>
  );
}

function Percentiles({ name, of }: { name: string; of: Quantiles }): VNode {
  const parts = [of.p50_ms, of.p95_ms, of.p99_ms].map((ms) => (ms === null ? "–" : duration(ms)));
  return (
    <div class="figure figure-wide">
      <dt>{name} p50 · p95 · p99</dt>
      <dd>{of.count === 0 ? "–" : parts.join(" · ")}</dd>
    </div>
  );
}

const rate = (perS: number): string => (perS === 0 ? "0" : perS < 10 ? perS.toFixed(1) : count(Math.round(perS)));

function WaitMap({ lane, statistics }: { lane: LaneHistory; statistics: Statistics }): VNode {
  const oldestMs = Math.max(0, ...lane.oldest_age_ms);
  const heat = useRef<Heat>({ boundsMs: [], stepS: 1, waits: [], oldestMs: 0 });
  heat.current = { boundsMs: statistics.bounds_ms, stepS: statistics.step_s, waits: lane.waits, oldestMs };
  const build = useMemo(() => heatChart(heat), []);
  const data = useMemo(() => heatData(timesOf(statistics), lane), [statistics, lane]);
  const label = `How long jobs waited in ${lane.name}: ${sentence(lane.wait)}. The oldest that waited did so for ${duration(oldestMs)}.`;
  return (
    <figure>
      <figcaption>How long jobs waited, and the age of the oldest that still waits</figcaption>
      <Chart label={label} build={build} data={data} height={220} testid="wait-map" />
    </figure>
  );
}

function sentence({ count: jobs, p50_ms: p50, p95_ms: p95 }: Quantiles): string {
  if (jobs === 0 || p50 === null || p95 === null) return "none started";
  return `${count(jobs)} started, half of them within ${duration(p50)}, 95 % within ${duration(p95)}`;
}

const timesOf = ({ starts_at, step_s, lanes }: Statistics): number[] => times(starts_at, step_s, lanes[0]?.came.length ?? 0);

function Flow({ lane, statistics }: { lane: LaneHistory; statistics: Statistics }): VNode {
  const { step_s: stepS } = statistics;
  const perS = (counts: number[]): number[] => counts.map((jobs) => jobs / stepS);
  const build = useCallback<Build>((theme) => flowChart(theme), []);
  const at = timesOf(statistics);
  const label = `Jobs a second in ${lane.name}: ${rate(lane.in_per_s)} come and ${rate(lane.out_per_s)} leave now.`;
  return (
    <figure>
      <figcaption>Jobs a second</figcaption>
      <Chart label={label} build={build} data={[at, perS(lane.came), perS(lane.left), perS(lane.wrong)]} height={150} />
    </figure>
  );
}

function flowChart(theme: Theme): ReturnType<Build> {
  const value = (_: unknown, jobs: number | null): string => (jobs === null ? "–" : rate(jobs));
  const points = { show: false };
  return {
    cursor: { y: false },
    scales: { x: { time: true }, y: { range: (_, __, top) => [0, Math.max(1, top * 1.1)] } },
    axes: [timeAxis(theme), valueAxis(theme, rate)],
    series: [
      { label: "at", value: (_, at: number | null) => (at === null ? "" : new Date(at * 1_000).toLocaleTimeString("en-GB")) },
      { label: "in", stroke: theme.accent, width: 1.5, value, points },
      { label: "out", stroke: theme.good, width: 1.5, dash: [6, 4], value, points },
      { label: "wrong", stroke: theme.bad, width: 1.5, dash: [2, 3], value, points },
    ],
  };
}
