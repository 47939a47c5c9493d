/** Where a job's time went, as a bar, and as a list for who cannot see it. */

import type { VNode } from "preact";

import type { Job } from "../client/contract.ts";
import { duration } from "../ui/format.ts";

export interface Stage {
  name: string;
  ms: number;
  tone: "wait" | "run" | "encode" | "search" | "now";
}

/** From creation to the end, or to now. What no stage accounts for is told as what it is. */
export function stagesOf(job: Job, nowMs: number): Stage[] {
  const created = Date.parse(job.created_at);
  const started = job.started_at === null ? null : Date.parse(job.started_at);
  const ended = job.finished_at === null ? null : Date.parse(job.finished_at);
  if (started === null) return [{ name: ended === null ? "waits" : "waited", ms: Math.max(0, (ended ?? nowMs) - created), tone: "wait" }];
  const waited: Stage = { name: job.attempts > 1 ? "waited, with earlier attempts" : "waited", ms: Math.max(0, started - created), tone: "wait" };
  if (ended === null) return [waited, { name: "runs", ms: Math.max(0, nowMs - started), tone: "now" }];
  return [waited, ...runOf(job, Math.max(0, ended - started))];
}

function runOf({ timings }: Job, runMs: number): Stage[] {
  const encode = timings?.encode_ms ?? 0;
  const search = timings?.search_ms ?? 0;
  const rest = Math.max(0, runMs - encode - search);
  const stages: Stage[] = [
    { name: "encode", ms: encode, tone: "encode" },
    { name: "search", ms: search, tone: "search" },
    { name: encode + search > 0 ? "the rest" : "ran", ms: rest, tone: "run" },
  ];
  return stages.filter(({ ms }) => ms > 0);
}

export function Timeline({ job, nowMs }: { job: Job; nowMs: number }): VNode {
  const stages = stagesOf(job, nowMs);
  const total = Math.max(1, stages.reduce((sum, { ms }) => sum + ms, 0));
  let from = 0;
  return (
    <section class="timeline" data-testid="timeline">
      <svg viewBox="0 0 1000 24" preserveAspectRatio="none" aria-hidden="true">
        {stages.map(({ name, ms, tone }) => {
          const x = (from / total) * 1_000;
          from += ms;
          return <rect key={name} class={`stage stage-${tone}`} x={x} y="0" width={Math.max(3, (ms / total) * 1_000 - 2)} height="24" />;
        })}
      </svg>
      <ul role="list">
        {stages.map(({ name, ms, tone }) => (
          <li key={name}>
            <span class={`swatch stage-${tone}`} aria-hidden="true" /> {name} <strong>{duration(ms)}</strong>
          </li>
        ))}
      </ul>
    </section>
  );
}
