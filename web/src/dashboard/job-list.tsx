/** The ledger, newest first. */

import type { VNode } from "preact";

import type { Job } from "../client/contract.ts";
import { ago, duration, moment } from "../ui/format.ts";
import { Notice } from "../ui/notice.tsx";
import { StateBadge } from "../ui/state-badge.tsx";

export interface JobListProps {
  jobs: readonly Job[];
  nowMs: number;
  filtered: boolean;
  onOpen: (id: string) => void;
}

export function JobList({ jobs, nowMs, filtered, onOpen }: JobListProps): VNode {
  if (jobs.length === 0) return <NoJobs filtered={filtered} />;
  return (
    <div class="table-wrap">
      <table class="jobs" data-testid="jobs">
        <thead>
          <tr>
            <th scope="col">Request</th>
            <th scope="col">State</th>
            <th scope="col">Lane</th>
            <th scope="col">Collection</th>
            <th scope="col" class="number">Took</th>
            <th scope="col" class="number">Created</th>
          </tr>
        </thead>
        <tbody>
          {jobs.map((job) => (
            <Row key={job.id} job={job} nowMs={nowMs} onOpen={onOpen} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Row({ job, nowMs, onOpen }: { job: Job; nowMs: number; onOpen: (id: string) => void }): VNode {
  return (
    <tr data-testid="job" data-id={job.id}>
      <td class="request">
        <button type="button" class="row-link" title={job.id} onClick={() => onOpen(job.id)}>
          <span class="kind">{job.kind}</span>
          <span class="words">{requestOf(job)}</span>
        </button>
      </td>
      <td>
        <StateBadge state={job.state} />
      </td>
      <td>{job.lane}</td>
      <td>{job.collection}</td>
      <td class="number">{tookMs(job) === null ? "" : duration(tookMs(job) ?? 0)}</td>
      <td class="number">
        <time dateTime={job.created_at} title={moment(job.created_at)}>
          {ago(job.created_at, nowMs)}
        </time>
      </td>
    </tr>
  );
}

function NoJobs({ filtered }: { filtered: boolean }): VNode {
  return filtered ? (
    <Notice icon="empty" title="No such jobs" testid="no-jobs">
      <p>None of the jobs that are kept matches the words and the state.</p>
    </Notice>
  ) : (
    <Notice icon="empty" title="No jobs yet" testid="no-jobs">
      <p>Each search and each ingest is listed here from the moment it is accepted.</p>
    </Notice>
  );
}

/** In the searcher's words, or what it was about where there are none. */
export function requestOf({ text, kind, collection }: Job): string {
  if (text != null && text !== "") return text;
  return kind === "search" ? "by picture" : collection;
}

/** From acceptance to the end, as the person waited. */
export function tookMs({ created_at, finished_at, timings }: Job): number | null {
  if (timings?.total_ms) return timings.total_ms;
  return finished_at == null ? null : Math.max(0, Date.parse(finished_at) - Date.parse(created_at));
}
