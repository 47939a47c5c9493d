/** What the operator looks at, kept in the address. */

import { useCallback, useEffect, useState } from "preact/hooks";

import type { JobKind, JobState } from "../client/contract.ts";
import type { Span, Where } from "./operators.ts";

export const STATES: readonly JobState[] = [
  "queued",
  "running",
  "succeeded",
  "failed",
  "cancelled",
  "superseded",
  "expired",
  "dead",
];
export const KINDS: readonly JobKind[] = [
  "search",
  "ingest",
  "collection",
  "items",
  "facets",
  "neighbours",
  "reindex",
];
export const SPANS: readonly Span[] = ["15m", "1h", "24h", "7d"];
export const TABS = ["overview", "jobs", "dead", "workers", "collections", "tenants", "trail"] as const;
export type Tab = (typeof TABS)[number];

const TEXTS = ["q", "collection", "worker", "error", "since", "until", "tenant"] as const;
/** In place of a tenant: all of them. */
export const ALL = "*";

export interface View extends Where {
  tab: Tab;
  span: Span;
  /** The cursors of the pages between the newest and this one. */
  trail: readonly string[];
  job: string | null;
  /** Whose that job is, where jobs of all tenants are listed. */
  whose: string;
}

const EMPTY: Where = { state: "", kind: "", q: "", collection: "", worker: "", error: "", since: "", until: "", tenant: "" };

export function readView(search: string): View {
  const given = new URLSearchParams(search);
  const texts = Object.fromEntries(TEXTS.map((name) => [name, given.get(name) ?? ""]));
  return {
    ...EMPTY,
    ...texts,
    state: STATES.find((known) => known === given.get("state")) ?? "",
    kind: KINDS.find((known) => known === given.get("kind")) ?? "",
    tab: TABS.find((known) => known === given.get("tab")) ?? "overview",
    span: SPANS.find((known) => known === given.get("span")) ?? "1h",
    trail: given.getAll("before"),
    job: given.get("job"),
    whose: given.get("whose") ?? "",
  };
}

export function writeView(view: View): string {
  const search = new URLSearchParams();
  if (view.tab !== "overview") search.set("tab", view.tab);
  if (view.span !== "1h") search.set("span", view.span);
  for (const name of ["state", "kind", ...TEXTS, "whose"] as const) if (view[name] !== "") search.set(name, view[name]);
  for (const cursor of view.trail) search.append("before", cursor);
  if (view.job !== null) search.set("job", view.job);
  return search.size === 0 ? location.pathname : `?${search.toString()}`;
}

/** Another page of the dashboard, for the same tenant, with nothing else kept. */
export function tabOf(view: View, tab: Tab): View {
  return { ...EMPTY, tenant: view.tenant, span: view.span, tab, trail: [], job: null, whose: "" };
}

/** What is asked of the ledger: dead letters are jobs of one state. */
export function whereOf(view: View): Where {
  const { kind, q, collection, worker, error, since, until, tenant } = view;
  const state = view.tab === "dead" ? "dead" : view.state;
  return { state, kind, q, collection, worker, error, since: momentOf(since), until: momentOf(until), tenant };
}

/** The browser's local time, as inputs give it, with its zone. */
function momentOf(local: string): string {
  const moment = new Date(local);
  return Number.isNaN(moment.getTime()) ? "" : moment.toISOString();
}

export type Change = (change: Partial<View>, how?: { replace: boolean }) => void;

export function useView(): [View, Change] {
  const [view, setView] = useState(() => readView(location.search));
  useEffect(() => {
    const step = (): void => setView(readView(location.search));
    addEventListener("popstate", step);
    return () => removeEventListener("popstate", step);
  }, []);
  const change = useCallback<Change>((part, { replace } = { replace: false }) => {
    const next = { ...readView(location.search), ...part };
    if (replace) history.replaceState(null, "", writeView(next));
    else history.pushState(null, "", writeView(next));
    setView(next);
  }, []);
  return [view, change];
}
