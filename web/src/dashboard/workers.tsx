/** The workers, with trouble only where there is some. */

import type { VNode } from "preact";

import type { Worker } from "../client/contract.ts";
import { age, ago, bytes, count, plural } from "../ui/format.ts";
import { Notice } from "../ui/notice.tsx";
import { StateBadge } from "../ui/state-badge.tsx";
import { Fact } from "./job-parts.tsx";
import { http } from "./operators.ts";
import { Status } from "./status.tsx";
import { ofWorker } from "./trouble.ts";
import { useActions } from "./use-action.tsx";
import { usePolled } from "./use-polled.ts";
import type { Change } from "./view.ts";

const load = (signal: AbortSignal): Promise<Worker[]> => http.workers(signal);

export function Workers({ change }: { change: Change }): VNode {
  const polled = usePolled(load);
  const { data, refresh, atMs } = polled;
  return (
    <>
      <h1>Workers</h1>
      <Status polled={polled} />
      {data?.length === 0 && (
        <Notice icon="alert" title="No worker is running" testid="no-workers">
          <p>Jobs wait until one comes. Start it with</p>
          <pre>clipline worker</pre>
        </Notice>
      )}
      <div class="lanes lanes-few" data-testid="workers">
        {data?.map((worker) => (
          <WorkerCard key={worker.id} worker={worker} nowMs={atMs} change={change} onChanged={refresh} />
        ))}
      </div>
    </>
  );
}

interface CardProps {
  worker: Worker;
  nowMs: number;
  change: Change;
  onChanged: () => void;
}

function WorkerCard({ worker, nowMs, change, onChanged }: CardProps): VNode {
  const troubles = ofWorker(worker, nowMs);
  return (
    <article class={troubles.length > 0 ? "panel panel-warn" : "panel"} data-testid="worker">
      <header class="panel-head">
        <h2>
          {worker.host} · {worker.device} {worker.state !== "running" && <StateBadge state={worker.state} />}
        </h2>
        <Drain worker={worker} onChanged={onChanged} />
      </header>
      {troubles.map((text) => (
        <p key={text} class="warn">
          {text}
        </p>
      ))}
      <Facts worker={worker} nowMs={nowMs} change={change} />
      <Batches sizes={worker.batch_sizes} />
    </article>
  );
}

function Facts({ worker, nowMs, change }: Omit<CardProps, "onChanged">): VNode {
  return (
    <dl class="facts">
      {worker.models.length > 1 ? (
        <Fact name="models">
          {worker.models.map(({ name, model, precision }) => (
            <div key={name}>
              {name}: {model} <span class="soft">{precision}</span>
            </div>
          ))}
        </Fact>
      ) : (
        <Fact name="model">
          {worker.model} <span class="soft">{worker.precision}</span>
        </Fact>
      )}
      <Fact name="busy">
        {count(worker.running)} of {count(worker.max_jobs)} jobs, {count(worker.waiting)} wait for the device
      </Fact>
      <Fact name="device">
        {count(worker.max_batch)} texts or {count(worker.max_batch_images)} pictures at once
        {worker.texts_s > 0 && `: ${count(Math.round(worker.texts_s))} texts/s`}
        {worker.images_s > 0 && `, ${count(Math.round(worker.images_s))} pictures/s`}
        {worker.halved_batches > 0 && `; ${count(worker.halved_batches)} batches did not fit into its memory`}
      </Fact>
      <Fact name="done">
        {count(worker.succeeded)} succeeded, {count(worker.failed)} failed, {count(worker.retried)} tried again
      </Fact>
      <Fact name="memory">
        {bytes(worker.memory_bytes)}
        {worker.device_memory_bytes > 0 && `, ${bytes(worker.device_memory_bytes)} on the device`}
      </Fact>
      <Fact name="heard">
        {ago(worker.last_seen_at, nowMs)}, up for {age((nowMs - Date.parse(worker.started_at)) / 1_000)}
      </Fact>
      <Fact name="id">
        <code>{worker.id}</code>{" "}
        <button type="button" class="link" onClick={() => change({ tab: "jobs", worker: worker.id, state: "running", trail: [] })}>
          runs now
        </button>{" "}
        <button type="button" class="link" onClick={() => change({ tab: "jobs", worker: worker.id, trail: [] })}>
          has run
        </button>
      </Fact>
    </dl>
  );
}

/** How many batches had 1, 2, up to 4, up to 8 … items: the fuller, the better the device is used. */
function Batches({ sizes }: { sizes: readonly number[] }): VNode | null {
  const most = Math.max(...sizes, 0);
  if (most === 0) return null;
  return (
    <figure class="batches">
      <figcaption>Batches by size</figcaption>
      <ul role="list">
        {sizes.map((batches, n) => (
          <li key={n}>
            <span class="bar" aria-hidden="true">
              <svg viewBox="0 0 10 40" preserveAspectRatio="none">
                <rect x="0" y={40 - (batches / most) * 40} width="10" height={(batches / most) * 40} />
              </svg>
            </span>
            <span class="hidden">{plural(batches, "batch", "batches")} of up to </span>
            {2 ** n}
          </li>
        ))}
      </ul>
    </figure>
  );
}

function Drain({ worker, onChanged }: { worker: Worker; onChanged: () => void }): VNode | null {
  const { ask, may } = useActions();
  if (!may || worker.state === "draining") return null;
  const act = async (): Promise<string> => {
    await http.drainWorker(worker.id);
    onChanged();
    return `${worker.host} drains`;
  };
  const text = `It takes no more jobs, finishes or hands back the ${count(worker.running)} that it has, and ends. Its supervisor may start another.`;
  return (
    <button type="button" onClick={() => ask({ title: `Drain ${worker.host}?`, text, verb: "Drain", act })} data-testid="drain">
      Drain<span class="hidden"> {worker.host}</span>
    </button>
  );
}
