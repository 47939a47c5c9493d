/** Jobs, and dead letters, which are those that were given up. */

import type { VNode } from "preact";
import { useCallback, useEffect, useMemo, useState } from "preact/hooks";

import type { Caller, Job, JobPage, StateCounts } from "../client/contract.ts";
import { count, plural } from "../ui/format.ts";
import type { Chosen } from "./bulk.tsx";
import { Bulk } from "./bulk.tsx";
import { Filters } from "./filters.tsx";
import { JobList } from "./job-list.tsx";
import { http, jobs, states, tenants } from "./operators.ts";
import { Status } from "./status.tsx";
import { useActions } from "./use-action.tsx";
import type { Polled } from "./use-polled.ts";
import { usePolled } from "./use-polled.ts";
import type { Change, View } from "./view.ts";
import { ALL, STATES, whereOf } from "./view.ts";

const PAGE = 50;

interface JobsProps {
  view: View;
  change: Change;
}

interface Shown {
  page: JobPage;
  counts: StateCounts["states"];
}

export function Jobs({ view, change, who }: JobsProps & { who: Caller }): VNode {
  const shown = useShown(view);
  const collections = useCollections();
  const others = useTenants(who);
  const { data, refresh, atMs } = shown;
  return (
    <>
      <h1>{view.tab === "dead" ? "Dead letters" : "Jobs"}</h1>
      {view.tab === "dead" && (
        <p class="soft">Jobs that were given up: their workers went away each time, or no attempt was left.</p>
      )}
      {view.tab === "jobs" && data !== null && <States view={view} counts={data.counts} change={change} />}
      <Filters view={view} change={change} collections={collections} tenants={others} own={who.tenant} />
      <Status polled={shown} />
      {data !== null && <Listed view={view} page={data.page} nowMs={atMs} change={change} onChanged={refresh} />}
    </>
  );
}

interface ListedProps extends JobsProps {
  page: JobPage;
  nowMs: number;
  onChanged: () => void;
}

function Listed({ view, page, nowMs, change, onChanged }: ListedProps): VNode {
  const { may } = useActions();
  const where = useMemo(() => whereOf(view), [view]);
  const { chosen, choose, none } = useChosen(page.jobs, JSON.stringify([where, view.trail]));
  const done = (): void => {
    none();
    onChanged();
  };
  return (
    <>
      <Bulk where={where} chosen={chosen} empty={page.jobs.length === 0 && page.next === null && view.trail.length === 0} onDone={done} />
      <JobList
        jobs={page.jobs}
        nowMs={nowMs}
        dead={view.tab === "dead"}
        filtered={isFiltered(view)}
        more={page.next !== null}
        chosen={new Set(chosen.keys())}
        tenants={view.tenant === ALL}
        onChoose={may ? choose : null}
        onOpen={({ id, tenant }) => change({ job: id, whose: view.tenant === ALL ? tenant : "" })}
      />
      <LeftOut page={page} />
      <Pager view={view} next={page.next} change={change} />
    </>
  );
}

interface Choosing {
  chosen: ReadonlyMap<string, Chosen>;
  choose: (ids: readonly string[], take: boolean) => void;
  none: () => void;
}

/** Another question begins with nothing chosen: what is not seen is not acted on. */
function useChosen(jobs: readonly Job[], question: string): Choosing {
  const [chosen, setChosen] = useState<ReadonlyMap<string, Chosen>>(new Map());
  const none = useCallback(() => setChosen(new Map()), []);
  useEffect(none, [question, none]);
  const choose = (ids: readonly string[], take: boolean): void => {
    const next = new Map(chosen);
    for (const { id, state, tenant } of jobs.filter((job) => ids.includes(job.id))) {
      if (take) next.set(id, { state, tenant });
      else next.delete(id);
    }
    setChosen(next);
  };
  return { chosen, choose, none };
}

/** What one page looks at is bounded; by its name every tenant can be asked for. */
function LeftOut({ page }: { page: JobPage }): VNode | null {
  if (!page.left_out) return null;
  return (
    <p class="soft" data-testid="left-out">
      {plural(page.left_out, "tenant")} that came earlier {page.left_out === 1 ? "is" : "are"} not in this list: choose one by its name.
    </p>
  );
}

/** A state that is chosen is shown by its count; those without jobs are left out. */
function States({ view, counts, change }: { view: View; counts: StateCounts["states"]; change: Change }): VNode {
  const shown = STATES.filter((state) => (counts[state] ?? 0) > 0 || state === view.state);
  return (
    <div class="states" role="group" aria-label="States" data-testid="states">
      {shown.map((state) => (
        <button
          key={state}
          type="button"
          aria-pressed={state === view.state}
          onClick={() => change({ state: state === view.state ? "" : state, trail: [] })}
        >
          {state} <strong>{count(counts[state] ?? 0)}</strong>
        </button>
      ))}
    </div>
  );
}

function Pager({ view, next, change }: { view: View; next: string | null; change: Change }): VNode {
  const { trail } = view;
  return (
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
  );
}

/** What is asked, as one text, so that a view that asks for the same loads nothing anew. */
function useShown(view: View): Polled<Shown> {
  const question = JSON.stringify([whereOf(view), view.trail.at(-1) ?? null]);
  return usePolled(
    useCallback(
      async (signal: AbortSignal): Promise<Shown> => {
        const [where, before] = JSON.parse(question) as [ReturnType<typeof whereOf>, string | null];
        const [page, counts] = await Promise.all([
          jobs({ ...where, before, limit: PAGE }, signal),
          states(where.tenant, signal),
        ]);
        return { page, counts };
      },
      [question],
    ),
  );
}

const RARELY_MS = 60_000;
const names = async (signal: AbortSignal): Promise<string[]> => (await http.collections(signal)).map(({ name }) => name);

function useCollections(): string[] {
  return usePolled(names, RARELY_MS).data ?? [];
}

const tenantNames = async (signal: AbortSignal): Promise<string[]> =>
  (await tenants(null, signal)).tenants.map(({ name }) => name);

/** Whose jobs may be looked at beside one's own; none where there is but one tenant, or others' are not shown. */
function useTenants({ keys, operators_see }: Caller): string[] {
  const others = keys && operators_see !== "own";
  const ask = useCallback((signal: AbortSignal) => (others ? tenantNames(signal) : Promise.resolve([])), [others]);
  return usePolled(ask, RARELY_MS).data ?? [];
}

function isFiltered(view: View): boolean {
  const { state, kind, q, collection, worker, error, since, until } = whereOf(view);
  const asked = [kind, q, collection, worker, error, since, until, view.tab === "jobs" ? state : ""];
  return asked.some((value) => value !== "");
}
