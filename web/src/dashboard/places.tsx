/** Collections, tenants, and the operators' trail: three plain tables. */

import type { ComponentChildren, VNode } from "preact";
import { useCallback } from "preact/hooks";

import type { AuditPage, Collection, TenantPage, TenantUsage } from "../client/contract.ts";
import { ago, count, duration, moment, plural } from "../ui/format.ts";
import { Notice } from "../ui/notice.tsx";
import { http, tenants } from "./operators.ts";
import { Status } from "./status.tsx";
import type { Polled } from "./use-polled.ts";
import { usePolled } from "./use-polled.ts";
import type { Change } from "./view.ts";

export function Collections({ change }: { change: Change }): VNode {
  const polled = usePolled(useCallback((signal: AbortSignal) => http.collections(signal), []));
  return (
    <Listed title="Collections" polled={polled} isEmpty={(all) => all.length === 0} empty="No collection yet" hint="Make one with clipline ingest.">
      {(all) => (
        <Table heads={["Name", "Pictures|number", "Model", "Group field", "Filterable fields"]} testid="collections">
          {all.map((one) => (
            <CollectionRow key={one.name} collection={one} change={change} />
          ))}
        </Table>
      )}
    </Listed>
  );
}

function CollectionRow({ collection, change }: { collection: Collection; change: Change }): VNode {
  const { name, model, group_field: group, payload } = collection;
  return (
    <tr>
      <th scope="row">
        <button type="button" class="link" onClick={() => change({ tab: "jobs", collection: name, trail: [] })} title="Its jobs">
          {name}
        </button>
      </th>
      <td class="number">{count(collection.count)}</td>
      <td class="clip" title={model ?? ""}>{model ?? "–"}</td>
      <td>{group ?? "–"}</td>
      <td>{Object.entries(payload).map(([field, kind]) => `${field} (${kind})`).join(", ") || "–"}</td>
    </tr>
  );
}

export function Tenants({ change }: { change: Change }): VNode {
  const polled = usePolled(useCallback((signal: AbortSignal) => tenants(null, signal), []));
  return (
    <Listed title="Tenants" polled={polled} isEmpty={({ tenants: all }) => all.length === 0} empty="No tenant yet" hint="">
      {(page) => (
        <>
          <Table
            heads={["Tenant", "Open|number", "Dead|number", "Kept|number", "Collections|number", "Share|number", "Today|number", "Wrong|number", "Ran|number"]}
            testid="tenants"
          >
            {page.tenants.map((one) => (
              <TenantRow key={one.name} tenant={one} limits={page.limits} change={change} />
            ))}
          </Table>
          <Limits limits={page.limits} />
        </>
      )}
    </Listed>
  );
}

function TenantRow({ tenant, limits, change }: { tenant: TenantUsage; limits: TenantPage["limits"]; change: Change }): VNode {
  const open = tenant.queued + tenant.running;
  return (
    <tr data-testid="tenant">
      <th scope="row">
        <button type="button" class="link" onClick={() => change({ tab: "jobs", tenant: tenant.name, trail: [] })} title="Its jobs">
          {tenant.name}
        </button>
      </th>
      <td class="number">
        <Meter name={`Open jobs of ${tenant.name}`} value={open} most={limits.max_open} />
      </td>
      <td class={tenant.dead > 0 ? "number bad" : "number"}>{count(tenant.dead)}</td>
      <td class="number">{count(tenant.kept)}</td>
      <td class="number">{count(tenant.collections)}</td>
      <td class="number">{tenant.weight}</td>
      <td class="number" title={`${count(tenant.yesterday.came)} yesterday`}>{count(tenant.today.came)}</td>
      <td class="number">{count(tenant.today.wrong)}</td>
      <td class="number">{duration(tenant.today.run_ms)}</td>
    </tr>
  );
}

function Meter({ name, value, most }: { name: string; value: number; most: number }): VNode {
  return (
    <>
      {count(value)} <meter aria-label={name} value={value} max={most} high={most * 0.8} />
    </>
  );
}

function Limits({ limits }: { limits: TenantPage["limits"] }): VNode {
  const rate = limits.rate === 0 ? "any number of jobs a second" : `${limits.rate} jobs a second, ${limits.burst} at once`;
  return (
    <p class="soft">
      Each tenant may have {count(limits.max_open)} open jobs and submit {rate}. {count(limits.keep_jobs)} ended jobs and{" "}
      {count(limits.keep_dead)} dead ones are kept.
    </p>
  );
}

const VERBS: Readonly<Record<string, string>> = {
  "lane.pause": "paused",
  "lane.resume": "resumed",
  "worker.drain": "drained",
  "jobs.cancel": "cancelled",
  "jobs.replay": "ran again",
  "jobs.purge": "forgot",
};

export function Trail(): VNode {
  const polled = usePolled(useCallback((signal: AbortSignal) => http.audit({ limit: 100 }, signal), []));
  return (
    <Listed title="Trail" polled={polled} isEmpty={({ entries }: AuditPage) => entries.length === 0} empty="Nothing was done yet" hint="Whatever operators do is written down here.">
      {(page) => (
        <Table heads={["When", "Who", "Did", "To what"]} testid="audit">
          {page.entries.map((one) => (
            <tr key={one.id}>
              <td>
                <time dateTime={one.at} title={moment(one.at)}>{ago(one.at, polled.atMs)}</time>
              </td>
              <td>{one.tenant} ({one.role})</td>
              <td>{VERBS[one.action] ?? one.action}</td>
              <td class="wrap">
                {one.action.startsWith("jobs.") && `${plural(one.done, "job")} `}
                <code>{one.target}</code>
              </td>
            </tr>
          ))}
        </Table>
      )}
    </Listed>
  );
}

interface ListedProps<T> {
  title: string;
  polled: Polled<T>;
  isEmpty: (data: T) => boolean;
  empty: string;
  hint: string;
  children: (data: T) => VNode;
}

function Listed<T>({ title, polled, isEmpty, empty, hint, children }: ListedProps<T>): VNode {
  const { data } = polled;
  return (
    <>
      <h1>{title}</h1>
      <Status polled={polled} />
      {data !== null && (isEmpty(data) ? <Notice icon="empty" title={empty}>{hint !== "" && <p>{hint}</p>}</Notice> : children(data))}
    </>
  );
}

/** A head that ends with `|number` is right-aligned. */
function Table({ heads, testid, children }: { heads: readonly string[]; testid: string; children: ComponentChildren }): VNode {
  return (
    <div class="table-wrap">
      <table class="plain-table" data-testid={testid}>
        <thead>
          <tr>
            {heads.map((head) => {
              const [name, kind] = head.split("|");
              return <th key={name} scope="col" class={kind}>{name}</th>;
            })}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}
