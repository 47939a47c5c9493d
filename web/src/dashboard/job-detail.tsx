/** One job: what was asked, what became of it, and what can be done about it. */

import type { ComponentChildren, VNode } from "preact";
import { useCallback, useState } from "preact/hooks";

import type { Job, Problem } from "../client/contract.ts";
import type { HttpClient } from "../client/http.ts";
import { problemOf } from "../client/problem.ts";
import { duration, moment, plain } from "../ui/format.ts";
import { Icon } from "../ui/icons.tsx";
import { Modal } from "../ui/modal.tsx";
import { Failure } from "../ui/notice.tsx";
import { StateBadge } from "../ui/state-badge.tsx";
import { requestOf } from "./job-list.tsx";
import { usePolled } from "./use-polled.ts";

export interface JobDetailProps {
  http: HttpClient;
  id: string;
  onChanged: () => void;
  onClose: () => void;
}

export function JobDetail({ http, id, onChanged, onClose }: JobDetailProps): VNode {
  const { data: job, problem, refresh } = usePolled(useCallback((signal: AbortSignal) => http.job(id, signal), [http, id]));
  const changed = (): void => {
    refresh();
    onChanged();
  };
  return (
    <Modal label={`Job ${id}`} class="job-detail" onClose={onClose} testid="job-detail">
      <div class="detail-head">
        <h2>{job === null ? "Job" : `${job.kind}: ${requestOf(job)}`}</h2>
        <button type="button" class="round" aria-label="Close" onClick={onClose} data-first>
          <Icon name="close" />
        </button>
      </div>
      {job === null && problem === null && <p class="soft">Loading…</p>}
      {problem !== null && <Failure problem={problem} onRetry={refresh} />}
      {job !== null && <Facts job={job} />}
      {job !== null && <Actions http={http} job={job} onChanged={changed} />}
    </Modal>
  );
}

function Facts({ job }: { job: Job }): VNode {
  return (
    <>
      <p>
        <StateBadge state={job.state} />
      </p>
      {job.error && <ErrorOf error={job.error} />}
      <dl class="facts">
        <Fact name="id">
          <code>{job.id}</code>
        </Fact>
        <Fact name="lane">{job.lane}</Fact>
        <Fact name="collection">{job.collection}</Fact>
        <Fact name="created">{moment(job.created_at)}</Fact>
        <Fact name="started">{job.started_at && moment(job.started_at)}</Fact>
        <Fact name="finished">{job.finished_at && moment(job.finished_at)}</Fact>
        <Fact name="stages">{stagesOf(job)}</Fact>
        <Fact name="attempts">{job.attempts}</Fact>
        <Fact name="worker">{job.worker}</Fact>
        <Fact name="result">{resultOf(job.result)}</Fact>
      </dl>
    </>
  );
}

function Fact({ name, children }: { name: string; children?: ComponentChildren }): VNode | null {
  if (children === undefined || children === null || children === "") return null;
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function ErrorOf({ error }: { error: Problem }): VNode {
  return (
    <div class="error-box" data-testid="job-error">
      <strong>{error.title}</strong>
      {error.detail && error.detail !== error.title && <p>{error.detail}</p>}
    </div>
  );
}

function Actions({ http, job, onChanged }: { http: HttpClient; job: Job; onChanged: () => void }): VNode {
  const [problem, setProblem] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(false);
  const act = (action: Promise<void>): void => {
    setBusy(true);
    setProblem(null);
    action
      .then(onChanged, (error: unknown) => setProblem(problemOf(error)))
      .finally(() => setBusy(false));
  };
  const open = job.state === "queued" || job.state === "running";
  return (
    <div class="actions">
      {problem !== null && <Failure problem={problem} />}
      {open && (
        <button type="button" disabled={busy} onClick={() => act(http.cancel(job.id))} data-testid="cancel-job">
          Cancel
        </button>
      )}
      {!open && job.state !== "succeeded" && (
        <button type="button" disabled={busy} onClick={() => act(http.retry(job.id))} data-testid="retry-job">
          Run again
        </button>
      )}
    </div>
  );
}

function stagesOf({ timings }: Job): string {
  const stages = Object.entries<number>({ ...timings });
  return stages.map(([name, ms]) => `${name.replace(/_ms$/, "")} ${duration(ms)}`).join(" · ");
}

/** Long lists by their length: the pictures themselves are for the search page. */
function resultOf(result: unknown): string {
  if (typeof result !== "object" || result === null) return "";
  const parts = Object.entries(result).filter(([name]) => name !== "took");
  return parts.map(([name, value]) => `${name}: ${Array.isArray(value) ? value.length : plain(value)}`).join(", ");
}
