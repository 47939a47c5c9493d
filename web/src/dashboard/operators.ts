/** What operators ask of the API beyond what the client library has. */

import type {
  Caller,
  JobKind,
  JobPage,
  JobRequest,
  Job,
  JobState,
  StateCounts,
  Statistics,
  Sweep,
  Swept,
  TenantPage,
} from "../client/contract.ts";
import { HttpClient } from "../client/http.ts";
import type { SweepVerb } from "../client/http.ts";
import { Transport } from "../client/transport.ts";
import { readKey } from "../ui/key.ts";

export type Span = Statistics["span"];

export interface Where {
  state: JobState | "";
  kind: JobKind | "";
  q: string;
  collection: string;
  worker: string;
  error: string;
  since: string;
  until: string;
  tenant: string;
}

const transport = new Transport({ key: readKey });
export const http = new HttpClient({ key: readKey });

export function caller(signal: AbortSignal): Promise<Caller> {
  return transport.json("v1/caller", { signal });
}

export function statistics(span: Span, signal: AbortSignal): Promise<Statistics> {
  return transport.json(`v1/statistics?span=${span}`, { signal });
}

export function tenants(after: string | null, signal: AbortSignal): Promise<TenantPage> {
  return transport.json(`v1/tenants${given({ after })}`, { signal });
}

export async function states(tenant: string, signal: AbortSignal): Promise<StateCounts["states"]> {
  return (await transport.json<StateCounts>(`v1/jobs/states${given({ tenant })}`, { signal })).states;
}

export function jobs(page: Partial<Where> & { before?: string | null; limit: number }, signal: AbortSignal): Promise<JobPage> {
  return transport.json(`v1/jobs${given(page)}`, { signal });
}

export function job(id: string, tenant: string, signal: AbortSignal): Promise<Job> {
  return transport.json(`v1/jobs/${encodeURIComponent(id)}${given({ tenant })}`, { signal });
}

export function requestOfJob(id: string, tenant: string, signal: AbortSignal): Promise<JobRequest> {
  return transport.json(`v1/jobs/${encodeURIComponent(id)}/request${given({ tenant })}`, { signal });
}

/** Every sweep is bounded by the server: ask again from `next` until nothing is left. */
export async function sweepAll(verb: SweepVerb, sweep: Sweep, told: (done: number) => void): Promise<number> {
  let done = 0;
  let before: string | undefined;
  for (;;) {
    const swept: Swept = await http.sweep(verb, before === undefined ? sweep : { ...sweep, before });
    done += swept.done;
    told(done);
    // Nothing moved: the lane is full, and asking again at once would not help.
    if (swept.next === null || swept.done + swept.skipped === 0) return done;
    before = swept.next;
  }
}

/** The filter as a sweep takes it: only what is set. */
export function sweepOf(where: Where): Sweep {
  return Object.fromEntries(Object.entries(where).filter(([, value]) => value !== ""));
}

function given(params: object): string {
  const entries = Object.entries(params) as [string, string | number | null | undefined][];
  const named = entries.filter(([, value]) => value !== undefined && value !== null && value !== "");
  const search = new URLSearchParams(named.map(([name, value]) => [name, String(value)])).toString();
  return search === "" ? "" : `?${search}`;
}
