/** The jobs page, put together. */

import type { VNode } from "preact";
import { useCallback, useEffect } from "preact/hooks";

import type { JobPage, Problem, Queue, Worker } from "../client/contract.ts";
import { HttpClient } from "../client/http.ts";
import type { Access } from "../ui/access.ts";
import { useAccess } from "../ui/access.ts";
import { Header } from "../ui/header.tsx";
import { KeyDialog } from "../ui/key-dialog.tsx";
import { readKey } from "../ui/key.ts";
import { Failure } from "../ui/notice.tsx";
import { Filters } from "./filters.tsx";
import { Queues, Workers } from "./fleet.tsx";
import { JobDetail } from "./job-detail.tsx";
import { JobList } from "./job-list.tsx";
import type { Polled } from "./use-polled.ts";
import { usePolled } from "./use-polled.ts";
import type { View } from "./view.ts";
import { useView } from "./view.ts";

const PAGE = 50;
const FORBIDDEN = 403;
const http = new HttpClient({ key: readKey });

interface Fleet {
  queues: Queue[];
  workers: Worker[];
}

export function DashboardPage(): VNode {
  const access = useAccess();
  return (
    <>
      <Header page="dashboard" onForgetKey={access.key === null ? undefined : access.forget} />
      <Dashboard key={access.round} access={access} />
      {access.asking && <KeyDialog wrong={access.wrong} onKey={access.accept} onClose={access.dismiss} />}
    </>
  );
}

function Dashboard({ access }: { access: Access }): VNode {
  const [view, change] = useView();
  const jobs = useJobs(view);
  const fleet = usePolled(loadFleet);
  const { check } = access;
  useEffect(() => {
    if (jobs.problem !== null) check(jobs.problem);
  }, [jobs.problem, check]);
  return (
    <main class="dashboard">
      <h1>Jobs</h1>
      <FleetRow fleet={fleet} jobsProblem={jobs.problem} />
      <div class="list-head">
        <Filters
          state={view.state}
          q={view.q}
          onState={(state) => change({ state, trail: [] })}
          onQ={(q) => change({ q, trail: [] }, { replace: true })}
        />
        <Freshness polled={jobs} />
      </div>
      {jobs.problem !== null && <Failure problem={jobs.problem} onRetry={jobs.refresh} />}
      {jobs.data === null && jobs.problem === null && <p class="soft">Loading…</p>}
      {jobs.data !== null && <Listed page={jobs.data} nowMs={jobs.atMs} view={view} change={change} />}
      {view.job !== null && (
        <JobDetail
          key={view.job}
          http={http}
          id={view.job}
          onChanged={jobs.refresh}
          onClose={() => change({ job: null })}
        />
      )}
    </main>
  );
}

const loadFleet = async (signal: AbortSignal): Promise<Fleet> => {
  const [queues, workers] = await Promise.all([http.queues(signal), http.workers(signal)]);
  return { queues, workers };
};

function useJobs({ state, q, trail }: View): Polled<JobPage> {
  const before = trail.at(-1) ?? null;
  return usePolled(
    useCallback((signal: AbortSignal) => http.jobs({ state, q, before, limit: PAGE }, signal), [state, q, before]),
  );
}

/** One notice is enough where everything fails for the same reason. */
function FleetRow({ fleet, jobsProblem }: { fleet: Polled<Fleet>; jobsProblem: Problem | null }): VNode | null {
  if (fleet.problem?.status === FORBIDDEN) return <p class="soft">Queues and workers are shown to operators.</p>;
  if (fleet.problem !== null && jobsProblem === null) return <Failure problem={fleet.problem} onRetry={fleet.refresh} />;
  if (fleet.data === null) return null;
  return (
    <div class="fleet">
      <Queues queues={fleet.data.queues} />
      <Workers workers={fleet.data.workers} nowMs={fleet.atMs} />
    </div>
  );
}

function Freshness({ polled }: { polled: Polled<unknown> }): VNode {
  const stale = polled.problem !== null && polled.data !== null;
  return (
    <p class={stale ? "fresh bad" : "fresh soft"} data-testid="freshness">
      {stale ? `As of ${new Date(polled.atMs).toLocaleTimeString("en-GB")}` : "Live"}
    </p>
  );
}

interface ListedProps {
  page: JobPage;
  nowMs: number;
  view: View;
  change: (change: Partial<View>) => void;
}

function Listed({ page, nowMs, view, change }: ListedProps): VNode {
  const { trail } = view;
  const next = page.next;
  return (
    <>
      <JobList
        jobs={page.jobs}
        nowMs={nowMs}
        filtered={view.q !== "" || view.state !== ""}
        onOpen={(job) => change({ job })}
      />
      <nav class="pager" aria-label="Pages of jobs">
        <button type="button" disabled={trail.length === 0} onClick={() => change({ trail: trail.slice(0, -1) })}>
          Newer
        </button>
        <button
          type="button"
          disabled={next === null}
          onClick={() => next !== null && change({ trail: [...trail, next] })}
          data-testid="older"
        >
          Older
        </button>
      </nav>
    </>
  );
}
