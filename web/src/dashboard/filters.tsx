/** Which jobs are listed. */

import type { VNode } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

import type { Change, View } from "./view.ts";
import { ALL, KINDS, STATES } from "./view.ts";

const SETTLE_MS = 250;

interface FiltersProps {
  view: View;
  change: Change;
  collections: readonly string[];
  /** Whose jobs may be looked at; none: there is no choice. */
  tenants: readonly string[];
  own: string;
}

export function Filters({ view, change, collections, tenants, own }: FiltersProps): VNode {
  const set = (part: Partial<View>): void => change({ ...part, trail: [] }, { replace: true });
  const more = view.worker !== "" || view.error !== "" || view.since !== "" || view.until !== "";
  return (
    <div class="filters" role="search" aria-label="Jobs">
      <Words label="Words of the request, or the start of an id" hint="Words or id" value={view.q} onText={(q) => set({ q })} testid="jobs-q" />
      {view.tab === "jobs" && (
        <Choice label="State" none="every state" value={view.state} of={STATES} onChoice={(state) => set({ state })} testid="jobs-state" />
      )}
      <Choice label="Kind" none="every kind" value={view.kind} of={KINDS} onChoice={(kind) => set({ kind })} testid="jobs-kind" />
      <Choice
        label="Collection"
        none="every collection"
        value={view.collection}
        of={collections.includes(view.collection) || view.collection === "" ? collections : [view.collection, ...collections]}
        onChoice={(collection) => set({ collection })}
        testid="jobs-collection"
      />
      {tenants.length > 0 && <Whose tenant={view.tenant} of={tenants} own={own} onTenant={(tenant) => set({ tenant })} />}
      <details class="more" open={more}>
        <summary>More</summary>
        <div class="filters">
          <Words label="Worker's id" hint="Worker" value={view.worker} onText={(worker) => set({ worker })} testid="jobs-worker" />
          <Words label="Type of error" hint="Error type" value={view.error} onText={(error) => set({ error })} testid="jobs-error" />
          <Time label="from" value={view.since} onTime={(since) => set({ since })} />
          <Time label="to" value={view.until} onTime={(until) => set({ until })} />
        </div>
      </details>
    </div>
  );
}

interface WhoseProps {
  tenant: string;
  of: readonly string[];
  own: string;
  onTenant: (tenant: string) => void;
}

function Whose({ tenant, of, own, onTenant }: WhoseProps): VNode {
  const others = [...new Set(tenant === "" || tenant === ALL ? of : [tenant, ...of])].filter((name) => name !== own);
  return (
    <select aria-label="Tenant" value={tenant} onChange={(event) => onTenant(event.currentTarget.value)} data-testid="jobs-tenant">
      <option value="">tenant {own}</option>
      <option value={ALL}>every tenant</option>
      {others.map((name) => (
        <option key={name} value={name}>
          {name}
        </option>
      ))}
    </select>
  );
}

interface WordsProps {
  label: string;
  hint: string;
  value: string;
  onText: (text: string) => void;
  testid: string;
}

/** Asks when the typing pauses. */
function Words({ label, hint, value, onText, testid }: WordsProps): VNode {
  const [typed, setTyped] = useState(value);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => setTyped(value), [value]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const type = (text: string): void => {
    setTyped(text);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => onText(text.trim()), SETTLE_MS);
  };
  return (
    <input
      type="search"
      aria-label={label}
      placeholder={hint}
      value={typed}
      onInput={(event) => type(event.currentTarget.value)}
      data-testid={testid}
    />
  );
}

interface ChoiceProps<T extends string> {
  label: string;
  none: string;
  value: T | "";
  of: readonly T[];
  onChoice: (chosen: T | "") => void;
  testid: string;
}

export function Choice<T extends string>({ label, none, value, of, onChoice, testid }: ChoiceProps<T>): VNode {
  return (
    <select
      aria-label={label}
      value={value}
      onChange={(event) => onChoice(of.find((known) => known === event.currentTarget.value) ?? "")}
      data-testid={testid}
    >
      {none !== "" && <option value="">{none}</option>}
      {of.map((known) => (
        <option key={known} value={known}>
          {known}
        </option>
      ))}
    </select>
  );
}

function Time({ label, value, onTime }: { label: string; value: string; onTime: (time: string) => void }): VNode {
  return (
    <label class="time">
      {label} <input type="datetime-local" value={value} onChange={(event) => onTime(event.currentTarget.value)} />
    </label>
  );
}
