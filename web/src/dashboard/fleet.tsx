/** The queues, and the workers that empty them. */

import type { VNode } from "preact";

import type { Queue, Worker } from "../client/contract.ts";
import { age, count, duration, plural } from "../ui/format.ts";
import { StateBadge } from "../ui/state-badge.tsx";

export function Queues({ queues }: { queues: readonly Queue[] }): VNode {
  return (
    <section aria-label="Queues" class="cards" data-testid="queues">
      {queues.map((queue) => (
        <article key={queue.name} class="card" data-testid="queue">
          <h2>
            {queue.name}
            {queue.paused && <StateBadge state="paused" />}
          </h2>
          <p class="figure">
            <strong>{count(queue.depth)}</strong> waiting
          </p>
          <p class="soft">
            {count(queue.running)} running
            {queue.depth > 0 && queue.oldest_age_s !== null && ` · oldest ${duration(queue.oldest_age_s * 1_000)}`}
          </p>
        </article>
      ))}
    </section>
  );
}

export function Workers({ workers, nowMs }: { workers: readonly Worker[]; nowMs: number }): VNode {
  if (workers.length === 0) return <NoWorkers />;
  return (
    <section aria-label="Workers" class="cards" data-testid="workers">
      {workers.map((worker) => (
        <article key={worker.id} class="card" data-testid="worker">
          <h2 title={worker.id}>
            {worker.host} · {worker.device}
            <StateBadge state={worker.state} />
          </h2>
          <p class="soft model">{worker.model}</p>
          <p class="soft">
            {plural(worker.running, "job")} now · {count(worker.succeeded)} done
            {worker.failed > 0 && <span class="bad"> · {count(worker.failed)} failed</span>}
          </p>
          <p class="soft">up for {age((nowMs - Date.parse(worker.started_at)) / 1_000)}</p>
        </article>
      ))}
    </section>
  );
}

function NoWorkers(): VNode {
  return (
    <section aria-label="Workers" class="cards">
      <article class="card card-warn" data-testid="no-workers">
        <h2>No worker is running</h2>
        <p class="soft">
          Jobs wait until one comes. Start it with <code>clipline worker</code>.
        </p>
      </article>
    </section>
  );
}
