/** The dashboard, put together. */

import type { VNode } from "preact";
import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";

import type { Caller, Problem } from "../client/contract.ts";
import { problemOf } from "../client/problem.ts";
import type { Access } from "../ui/access.ts";
import { useAccess } from "../ui/access.ts";
import { Header } from "../ui/header.tsx";
import { KeyDialog } from "../ui/key-dialog.tsx";
import { readKey } from "../ui/key.ts";
import { Failure, Notice } from "../ui/notice.tsx";
import { Media } from "../ui/picture.tsx";
import { JobDetail } from "./job-detail.tsx";
import { Jobs } from "./jobs.tsx";
import { caller, http } from "./operators.ts";
import { Overview } from "./overview.tsx";
import { Collections, Tenants, Trail } from "./places.tsx";
import { ActionsOf, useAsking } from "./use-action.tsx";
import { PulseOf, useOwnPulse, usePulseState } from "./use-pulse.ts";
import type { Change, Tab, View } from "./view.ts";
import { ALL, TABS, tabOf, useView, writeView } from "./view.ts";
import { Workers } from "./workers.tsx";

export function DashboardPage(): VNode {
  const access = useAccess();
  return (
    <>
      <Header page="dashboard" onForgetKey={access.key === null ? undefined : access.forget} />
      <Entered key={access.round} access={access} />
      {access.asking && <KeyDialog wrong={access.wrong} onKey={access.accept} onClose={access.dismiss} />}
    </>
  );
}

/** Who looks decides what is there to be seen. */
function Entered({ access }: { access: Access }): VNode {
  const [who, setWho] = useState<Caller | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const { check } = access;
  const ask = useCallback(() => {
    setProblem(null);
    caller(new AbortController().signal).then(setWho, (error: unknown) => {
      const found = problemOf(error);
      setProblem(found);
      check(found);
    });
  }, [check]);
  useEffect(ask, [ask]);
  if (problem !== null) return <main class="dashboard"><Failure problem={problem} onRetry={ask} /></main>;
  if (who === null) return <main class="dashboard"><p class="soft">Loading…</p></main>;
  return who.may_operate ? <Dashboard who={who} /> : <ForOperators role={who.role} />;
}

function ForOperators({ role }: { role: string }): VNode {
  return (
    <main class="dashboard">
      <Notice icon="key" title="The dashboard is for operators" testid="forbidden">
        <p>This key has the role {role}. An operator's or a viewer's shows queues, workers and jobs.</p>
      </Notice>
    </main>
  );
}

function Dashboard({ who }: { who: Caller }): VNode {
  const [view, change] = useView();
  const pulse = useOwnPulse();
  const { actions, dialog, said } = useAsking(who);
  const media = useMemo(() => ({ http, key: readKey() }), []);
  return (
    <PulseOf.Provider value={pulse}>
      <ActionsOf.Provider value={actions}>
        <Media.Provider value={media}>
          <Tabs view={view} change={change} who={who} />
          <main class="dashboard">
            <p class="said" role="status" data-testid="said">{said}</p>
            <Shown view={view} change={change} who={who} />
            {view.job !== null && (
              <JobDetail key={view.job} id={view.job} tenant={view.tenant === ALL ? view.whose : view.tenant} onClose={() => change({ job: null, whose: "" })} />
            )}
          </main>
          {dialog}
        </Media.Provider>
      </ActionsOf.Provider>
    </PulseOf.Provider>
  );
}

const NAMES: Record<Tab, string> = {
  overview: "Overview",
  jobs: "Jobs",
  dead: "Dead letters",
  workers: "Workers",
  collections: "Collections",
  tenants: "Tenants",
  trail: "Trail",
};

function Tabs({ view, change, who }: { view: View; change: Change; who: Caller }): VNode {
  const nav = useRef<HTMLElement>(null);
  // On a phone not all fit: the one that is looked at does.
  useEffect(() => nav.current?.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" }), [view.tab]);
  // Viewers may not read what operators did.
  const shown = TABS.filter((tab) => tab !== "trail" || who.role === "operator");
  const go = (event: MouseEvent, tab: Tab): void => {
    if (event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    change(tabOf(view, tab));
  };
  return (
    <div class="tabs">
      <nav ref={nav} aria-label="Dashboard">
        {shown.map((tab) => (
          <a
            key={tab}
            href={writeView(tabOf(view, tab))}
            aria-current={tab === view.tab ? "page" : undefined}
            onClick={(event) => go(event, tab)}
            data-testid={`tab-${tab}`}
          >
            {NAMES[tab]}
          </a>
        ))}
      </nav>
      <Standing view={view} change={change} who={who} />
    </div>
  );
}

/** Whether what is shown is live, and what may be done with it. */
function Standing({ view, change, who }: { view: View; change: Change; who: Caller }): VNode {
  const state = usePulseState();
  return (
    <div class="standing">
      {view.tenant !== "" && view.tenant !== who.tenant && <Elsewhere tenant={view.tenant} change={change} />}
      {who.read_only && <span class="badge badge-warn">read-only</span>}
      {!who.read_only && !who.may_control && <span class="badge badge-soft">{who.role}</span>}
      <span class={state === "open" ? "live" : "live live-off"} role="status" data-testid="live" data-state={state}>
        {state === "open" ? "Live" : "Reconnecting…"}
      </span>
    </div>
  );
}

function Elsewhere({ tenant, change }: { tenant: string; change: Change }): VNode {
  return (
    <button type="button" class="chip" onClick={() => change({ tenant: "", trail: [] })} title="Back to your own tenant">
      {tenant === ALL ? "every tenant" : `tenant ${tenant}`} ✕
    </button>
  );
}

function Shown({ view, change, who }: { view: View; change: Change; who: Caller }): VNode {
  switch (view.tab) {
    case "overview":
      return <Overview span={view.span} onSpan={(span) => change({ span }, { replace: true })} />;
    case "jobs":
    case "dead":
      return <Jobs key={view.tab} view={view} change={change} who={who} />;
    case "workers":
      return <Workers change={change} />;
    case "collections":
      return <Collections change={change} />;
    case "tenants":
      return <Tenants change={change} />;
    case "trail":
      return <Trail />;
  }
}
