/** What the operator looks at, kept in the address. */

import { useCallback, useEffect, useState } from "preact/hooks";

import type { JobState } from "../client/contract.ts";

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

export interface View {
  state: JobState | "";
  q: string;
  /** The cursors of the pages between the newest and this one. */
  trail: readonly string[];
  job: string | null;
}

export function readView(search: string): View {
  const given = new URLSearchParams(search);
  const state = STATES.find((known) => known === given.get("state")) ?? "";
  return { state, q: given.get("q") ?? "", trail: given.getAll("before"), job: given.get("job") };
}

export function writeView({ state, q, trail, job }: View): string {
  const search = new URLSearchParams();
  if (state !== "") search.set("state", state);
  if (q !== "") search.set("q", q);
  for (const cursor of trail) search.append("before", cursor);
  if (job !== null) search.set("job", job);
  return search.size === 0 ? location.pathname : `?${search.toString()}`;
}

export function useView(): [View, (change: Partial<View>, how?: { replace: boolean }) => void] {
  const [view, setView] = useState(() => readView(location.search));
  useEffect(() => {
    const step = (): void => setView(readView(location.search));
    addEventListener("popstate", step);
    return () => removeEventListener("popstate", step);
  }, []);
  const change = useCallback((part: Partial<View>, { replace } = { replace: false }) => {
    const next = { ...readView(location.search), ...part };
    if (replace) history.replaceState(null, "", writeView(next));
    else history.pushState(null, "", writeView(next));
    setView(next);
  }, []);
  return [view, change];
}
