/** The parts of a job's page: facts, error, attempts, request and result. */

import type { ComponentChildren, VNode } from "preact";

import type { Attempt, Hit, Job, JobRequest, Problem } from "../client/contract.ts";
import { count, duration, nameOf, plain, plural, score } from "../ui/format.ts";
import { Picture } from "../ui/picture.tsx";

const SHOWN = 12;

export function Fact({ name, children }: { name: string; children: ComponentChildren }): VNode | null {
  if (children === null || children === undefined || children === "") return null;
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

export function ErrorBox({ error }: { error: Problem }): VNode {
  return (
    <div class="error-box" data-testid="job-error">
      <strong>{error.title}</strong> <code>{error.type}</code>
      {error.detail && error.detail !== error.title && <p>{error.detail}</p>}
    </div>
  );
}

export function Attempts({ history }: { history: readonly Attempt[] }): VNode {
  return (
    <section>
      <h3>Attempts that failed</h3>
      <ol class="attempts" data-testid="attempts">
        {history.map((one) => (
          <li key={`${one.attempt}-${one.ended_at}`}>
            <strong>{one.problem.title}</strong>
            <span class="soft">
              {" "}
              attempt {one.attempt} on {one.worker || "no worker"}, after{" "}
              {duration(Math.max(0, Date.parse(one.ended_at) - Date.parse(one.started_at)))}
            </span>
            {one.problem.detail && one.problem.detail !== one.problem.title && <p>{one.problem.detail}</p>}
          </li>
        ))}
      </ol>
    </section>
  );
}

export function RequestOf({ job, asked }: { job: Job; asked: JobRequest }): VNode {
  const cut = Object.entries(asked.cut).map(([name, length]) => `${name} has ${count(length)}`);
  return (
    <section>
      <h3>Request</h3>
      {asked.payload === null ? (
        <p class="soft">
          {job.text ? <q>{job.text}</q> : "By picture or example."} {whyGone(asked)}
        </p>
      ) : (
        <Json value={asked.payload} />
      )}
      {cut.length > 0 && <p class="soft">Cut short: {cut.join(", ")}.</p>}
    </section>
  );
}

function whyGone({ dropped_bytes }: JobRequest): string {
  if (dropped_bytes === null) return "The whole request is no longer kept.";
  return `The whole request had ${count(dropped_bytes)} bytes, too many to be kept once the job succeeded.`;
}

const MOST_ROWS = 16;

/** A field, since that can be scrolled and copied from with the keyboard too. */
function Json({ value }: { value: unknown }): VNode {
  const text = JSON.stringify(value, null, 2);
  const rows = Math.min(MOST_ROWS, text.split("\n").length);
  return <textarea class="json" readOnly rows={rows} value={text} aria-label="Request as JSON" data-testid="job-request" />;
}

export function ResultOf({ job }: { job: Job }): VNode {
  const result = job.result ?? {};
  const hits = hitsOf(result);
  return (
    <section data-testid="job-result">
      <h3>Result</h3>
      {typeof result.relevant === "number" && <p class="soft">Likely relevant: the first {count(result.relevant)}.</p>}
      {hits.length > 0 ? <Thumbnails hits={hits} collection={job.collection} /> : <p>{inWords(result)}</p>}
    </section>
  );
}

function Thumbnails({ hits, collection }: { hits: readonly Hit[]; collection: string }): VNode {
  return (
    <>
      <ul role="list" class="thumbs">
        {hits.slice(0, SHOWN).map((hit) => (
          <li key={hit.id}>
            <Picture collection={collection} id={hit.id} size="thumb" alt={nameOf(hit.id, hit.payload, hit.source)} />
            <span class="soft">{score(hit.score)}</span>
          </li>
        ))}
      </ul>
      {hits.length > SHOWN && <p class="soft">The first {SHOWN} of {plural(hits.length, "hit")}.</p>}
    </>
  );
}

/** Of a search, grouped or not; of anything else none. */
function hitsOf(result: Record<string, unknown>): Hit[] {
  if (Array.isArray(result.hits)) return result.hits as Hit[];
  if (Array.isArray(result.groups)) return (result.groups as { hits: Hit[] }[]).flatMap(({ hits }) => hits);
  return [];
}

/** Long lists by their length. */
function inWords(result: Record<string, unknown>): string {
  const parts = Object.entries(result).filter(([name]) => name !== "took" && name !== "model");
  return parts.map(([name, value]) => `${name}: ${Array.isArray(value) ? count(value.length) : plain(value)}`).join(" · ");
}
