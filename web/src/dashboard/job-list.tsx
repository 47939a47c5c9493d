/** The ledger, newest first. */

import type { VNode } from "preact";

import type { Job } from "../client/contract.ts";
import { ago, duration, laneOf, moment } from "../ui/format.ts";
import { Notice } from "../ui/notice.tsx";
import { StateBadge } from "../ui/state-badge.tsx";

export interface JobListProps {
  jobs: readonly Job[];
  nowMs: number;
  /** Whether it lists those that were given up. */
  dead: boolean;
  filtered: boolean;
  /** Whether an older page may still have some. */
  more: boolean;
  chosen: ReadonlySet<string>;
  /** Whether they are of several. */
  tenants: boolean;
  /** Without it nothing can be chosen. */
  onChoose: ((ids: readonly string[], chosen: boolean) => void) | null;
  onOpen: (job: Job) => void;
}

export function JobList(props: JobListProps): VNode {
  const { jobs, nowMs, dead, filtered, more, chosen, tenants, onChoose, onOpen } = props;
  if (jobs.length === 0) return <NoJobs dead={dead} filtered={filtered} more={more} />;
  const ids = jobs.map(({ id }) => id);
  const all = ids.every((id) => chosen.has(id));
  return (
    <div class="table-wrap">
      <table class="jobs" data-testid="jobs">
        <thead>
          <tr>
            {onChoose && (
              <th scope="col" class="choose">
                <input
                  type="checkbox"
                  aria-label="Choose all on this page"
                  checked={all}
                  onChange={() => onChoose(ids, !all)}
                  data-testid="choose-page"
                />
                <span class="narrow-only" aria-hidden="true">
                  {" "}
                  all on this page
                </span>
              </th>
            )}
            <th scope="col">Request</th>
            {tenants && <th scope="col">Tenant</th>}
            <th scope="col">State</th>
            <th scope="col">Lane</th>
            <th scope="col">Collection</th>
            <th scope="col" class="number">Took</th>
            <th scope="col" class="number">Created</th>
          </tr>
        </thead>
        <tbody>
          {jobs.map((job) => (
            <Row
              key={job.id}
              job={job}
              nowMs={nowMs}
              chosen={chosen.has(job.id)}
              tenants={tenants}
              onChoose={onChoose}
              onOpen={onOpen}
            />
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface RowProps {
  job: Job;
  nowMs: number;
  chosen: boolean;
  tenants: boolean;
  onChoose: JobListProps["onChoose"];
  onOpen: JobListProps["onOpen"];
}

function Row({ job, nowMs, chosen, tenants, onChoose, onOpen }: RowProps): VNode {
  const took = tookMs(job);
  return (
    <tr data-testid="job" data-id={job.id} class={chosen ? "chosen" : undefined}>
      {onChoose && (
        <td class="choose">
          <input
            type="checkbox"
            aria-label={`Choose ${requestOf(job)}`}
            checked={chosen}
            onChange={() => onChoose([job.id], !chosen)}
          />
        </td>
      )}
      <td class="request">
        <button type="button" class="row-link" title={job.id} onClick={() => onOpen(job)}>
          <span class="kind">{job.kind}</span>
          <span class="words">{requestOf(job)}</span>
          {job.error && <span class="why">{job.error.type}</span>}
        </button>
      </td>
      {tenants && <td class="tenant">{job.tenant}</td>}
      <td>
        <StateBadge state={job.state} />
      </td>
      <td class="lane">{laneOf(job)}</td>
      <td class="collection">{job.collection}</td>
      <td class="number">{took === null ? "" : duration(took)}</td>
      <td class="number">
        <time dateTime={job.created_at} title={moment(job.created_at)}>
          {ago(job.created_at, nowMs)}
        </time>
      </td>
    </tr>
  );
}

function NoJobs({ dead, filtered, more }: Pick<JobListProps, "dead" | "filtered" | "more">): VNode {
  if (more) {
    return (
      <Notice icon="empty" title="None so far" testid="no-jobs">
        <p>Nothing among those that were looked at. Older ones come with “Older”.</p>
      </Notice>
    );
  }
  if (filtered) {
    return (
      <Notice icon="empty" title="No such jobs" testid="no-jobs">
        <p>None of the jobs that are kept matches. Words are whole words; an id may be cut short.</p>
      </Notice>
    );
  }
  return dead ? (
    <Notice icon="empty" title="No dead letters" testid="no-jobs">
      <p>No job has been given up.</p>
    </Notice>
  ) : (
    <Notice icon="empty" title="No jobs here" testid="no-jobs">
      <p>Each search and each ingest is listed from the moment it is accepted.</p>
    </Notice>
  );
}

/** In the searcher's words, or what it was about where there are none. */
export function requestOf({ text, kind, collection, id, redacted }: Job): string {
  if (redacted) return "hidden";
  if (text !== null && text !== "") return text;
  // By a picture or examples, or the page after another one.
  if (kind === "search") return "without words";
  return collection === "" ? id : collection;
}

/** From acceptance to the end, as the person waited. */
export function tookMs({ created_at, finished_at, timings }: Job): number | null {
  if (timings !== null && timings.total_ms > 0) return timings.total_ms;
  return finished_at === null ? null : Math.max(0, Date.parse(finished_at) - Date.parse(created_at));
}
