/** What an operator should look at now; empty when all is well. */

import type { Queue, Worker } from "../client/contract.ts";
import { age, count } from "../ui/format.ts";

const LATE_S = 30;
const SILENT_S = 5;
const FULL = 0.8;

export function troublesOf(workers: readonly Worker[], queues: readonly Queue[], nowMs: number): string[] {
  const none = workers.length === 0 ? ["No worker is running: jobs wait until one comes. Start it with `clipline worker`."] : [];
  return [...none, ...(workers.length > 0 ? ofModels(workers, queues) : []), ...queues.flatMap(ofQueue), ...workers.flatMap((worker) => ofWorker(worker, nowMs))];
}

/** Models that no worker holds: their jobs wait, those of the others do not. */
function ofModels(workers: readonly Worker[], queues: readonly Queue[]): string[] {
  const held = new Set(workers.flatMap((worker) => namesOf(worker)));
  const missing = new Set(queues.map((queue) => queue.model_name).filter((name) => !held.has(name)));
  return [...missing].map((name) => {
    const waiting = queues.filter((queue) => queue.model_name === name).reduce((sum, { depth }) => sum + depth, 0);
    return `No worker holds the model ${name}${waiting > 0 ? `, and ${count(waiting)} jobs wait for one` : ""}. Start it with \`clipline worker --models ${name}\`.`;
  });
}

/** How many workers take jobs of each model of the fleet, which are those that have queues. */
export function holdersOf(workers: readonly Worker[], queues: readonly Queue[]): [string, number][] {
  const ready = workers.filter(({ state }) => state === "running").map((worker) => namesOf(worker));
  const models = [...new Set(queues.map((queue) => queue.model_name))];
  return models.map((model) => [model, ready.filter((names) => names.includes(model)).length]);
}

/** One of a release that told of no models has the default one. */
const namesOf = ({ models }: Worker): string[] => (models.length > 0 ? models.map(({ name }) => name) : ["default"]);

function ofQueue({ name, depth, max_depth: most, oldest_age_s: oldest, paused }: Queue): string[] {
  const full = most > 0 && depth > FULL * most ? [`${name} is nearly full: ${count(depth)} of ${count(most)}.`] : [];
  if (paused) return [`${name} is paused${depth > 0 ? `, and ${count(depth)} wait` : ""}.`, ...full];
  const late = depth > 0 && oldest !== null && oldest > LATE_S;
  return late ? [`The oldest job in ${name} has waited for ${age(oldest)}.`, ...full] : full;
}

export function ofWorker(worker: Worker, nowMs: number): string[] {
  const found = [];
  const silentS = (nowMs - Date.parse(worker.last_seen_at)) / 1_000;
  if (silentS > SILENT_S) found.push(`Worker ${worker.host} was last heard ${age(silentS)} ago.`);
  if (worker.state === "draining") found.push(`Worker ${worker.host} drains: it ends when its ${count(worker.running)} jobs are done.`);
  if (worker.failed > 10 && worker.failed > worker.succeeded / 10) found.push(`Worker ${worker.host} fails one job in ${count(Math.max(1, Math.round((worker.succeeded + worker.failed) / worker.failed)))}.`);
  return found;
}
