/** One job: what was asked, what became of it, and what can be done about it. */

import type { VNode } from "preact";
import { useCallback } from "preact/hooks";

import type { Job, JobRequest } from "../client/contract.ts";
import type { SweepVerb } from "../client/http.ts";
import { ago, laneOf, moment } from "../ui/format.ts";
import { Icon } from "../ui/icons.tsx";
import { Modal } from "../ui/modal.tsx";
import { StateBadge } from "../ui/state-badge.tsx";
import { requestOf } from "./job-list.tsx";
import { Attempts, ErrorBox, Fact, RequestOf, ResultOf } from "./job-parts.tsx";
import { http, job as load, requestOfJob } from "./operators.ts";
import { Status } from "./status.tsx";
import { Timeline } from "./timeline.tsx";
import { useActions } from "./use-action.tsx";
import { usePolled } from "./use-polled.ts";

export interface JobDetailProps {
  id: string;
  tenant: string;
  onClose: () => void;
}

interface Whole {
  job: Job;
  asked: JobRequest;
}

const NOTHING: JobRequest = { payload: null, cut: {}, dropped_bytes: null };

export function JobDetail({ id, tenant, onClose }: JobDetailProps): VNode {
  const whole = usePolled(
    useCallback(
      async (signal: AbortSignal): Promise<Whole> => {
        const job = await load(id, tenant, signal);
        return { job, asked: job.redacted ? NOTHING : await requestOfJob(id, tenant, signal) };
      },
      [id, tenant],
    ),
  );
  const { data, refresh, atMs } = whole;
  return (
    <Modal label={`Job ${id}`} class="job-detail" onClose={onClose} testid="job-detail">
      <div class="detail-head">
        <h2>{data === null ? "Job" : `${data.job.kind}: ${requestOf(data.job)}`}</h2>
        <button type="button" class="round" aria-label="Close" onClick={onClose} data-first>
          <Icon name="close" />
        </button>
      </div>
      <Status polled={whole} />
      {data !== null && <Shown whole={data} nowMs={atMs} tenant={tenant} onChanged={refresh} />}
    </Modal>
  );
}

function Shown({ whole, nowMs, tenant, onChanged }: { whole: Whole; nowMs: number; tenant: string; onChanged: () => void }): VNode {
  const { job, asked } = whole;
  return (
    <>
      <p class="detail-state">
        <StateBadge state={job.state} />
        <span class="soft">{ago(job.created_at, nowMs)}</span>
        {job.redacted && <span class="soft">Query and result of another tenant are not shown.</span>}
      </p>
      {job.error && <ErrorBox error={job.error} />}
      <Timeline job={job} nowMs={nowMs} />
      <Facts job={job} />
      {job.history.length > 0 && <Attempts history={job.history} />}
      {!job.redacted && <RequestOf job={job} asked={asked} />}
      {job.result !== null && <ResultOf job={job} />}
      <Buttons whole={whole} tenant={tenant} onChanged={onChanged} />
    </>
  );
}

function Facts({ job }: { job: Job }): VNode {
  return (
    <dl class="facts">
      <Fact name="id">
        <code data-testid="job-id">{job.id}</code>
      </Fact>
      <Fact name="lane">{laneOf(job)}</Fact>
      <Fact name="collection">{job.collection}</Fact>
      <Fact name="tenant">{job.tenant}</Fact>
      <Fact name="created">{moment(job.created_at)}</Fact>
      <Fact name="finished">{job.finished_at && moment(job.finished_at)}</Fact>
      <Fact name="attempts">{job.attempts}</Fact>
      <Fact name="worker">{job.worker && <code>{job.worker}</code>}</Fact>
      <Fact name="session">{job.session && <code>{job.session}</code>}</Fact>
      <Fact name="trace">{job.trace && <code data-testid="trace">{job.trace}</code>}</Fact>
    </dl>
  );
}

function Buttons({ whole, tenant, onChanged }: { whole: Whole; tenant: string; onChanged: () => void }): VNode {
  const { ask, may } = useActions();
  const { job } = whole;
  const open = job.state === "queued" || job.state === "running";
  const sweep = (verb: SweepVerb, said: string) => async (): Promise<string> => {
    const { done } = await http.sweep(verb, { ids: [job.id], ...(tenant !== "" && { tenant }) });
    onChanged();
    return done === 1 ? said : "The job had changed meanwhile; nothing was done.";
  };
  return (
    <div class="actions">
      <a class="button" href={jsonOf(whole)} download={`job-${job.id}.json`} data-testid="download-job">
        Download as JSON
      </a>
      {may && open && (
        <button
          type="button"
          onClick={() =>
            ask({ title: "Cancel this job?", text: requestOf(job), verb: "Cancel job", danger: true, act: sweep("cancel", "The job is cancelled.") })
          }
          data-testid="cancel-job"
        >
          Cancel job
        </button>
      )}
      {may && !open && job.state !== "succeeded" && (
        <button
          type="button"
          class="primary"
          onClick={() =>
            ask({ title: "Run this job again?", text: requestOf(job), verb: "Run again", act: sweep("replay", "The job is queued again.") })
          }
          data-testid="retry-job"
        >
          Run again
        </button>
      )}
    </div>
  );
}

/** Bytes in the address: a download needs no other origin and no policy of its own. */
function jsonOf({ job, asked }: Whole): string {
  return `data:application/json;charset=utf-8,${encodeURIComponent(JSON.stringify({ ...job, request: asked.payload }, null, 2))}`;
}
