/** The HTTP side of the API: JSON in, JSON out, problems as exceptions. */

import type {
  Accepted,
  AuditPage,
  Collection,
  CollectionSpec,
  Facet,
  FacetsRequest,
  FacetsResult,
  FileReference,
  Item,
  Job,
  JobKind,
  JobPage,
  JobState,
  NeighboursResult,
  Payload,
  Queue,
  Search,
  Sweep,
  Swept,
  Worker,
} from "./contract.ts";
import { ended, timedOut } from "./problem.ts";
import { SessionCalls } from "./sessions.ts";
import type { HttpOptions } from "./transport.ts";
import { randomKey, Transport } from "./transport.ts";

export type { HttpOptions } from "./transport.ts";

export interface JobFilter {
  state?: JobState | "";
  kind?: JobKind | "";
  collection?: string;
  worker?: string;
  /** The type of the problem that a job ended with. */
  error?: string;
  /** An id's beginning, or words of the query. */
  q?: string;
  /** ISO 8601. */
  since?: string;
  until?: string;
  /** For operators: whose jobs. */
  tenant?: string;
  before?: string | null;
  limit?: number;
}

export interface Waiting {
  /** How long to wait for the job's end. */
  timeoutMs?: number;
  signal?: AbortSignal;
}

/** A picture's bytes under the name that becomes its source. */
export interface Upload {
  name: string;
  data: Blob;
  payload?: Payload;
}

export type MediaSize = "thumb" | "full";
export type SweepVerb = "cancel" | "replay" | "purge";

/** How many items before and after another one. */
export interface Around {
  before?: number;
  after?: number;
}

/** The longest `wait` that the server grants. */
const WAIT_S = 30;
const TIMEOUT_MS = 60_000;
const JOB_FINISHED = { type: "job-finished", title: "The job has already ended", status: 409 };
const OPEN: ReadonlySet<JobState> = new Set<JobState>(["queued", "running"]);

export class HttpClient {
  /** What sessions hold. */
  readonly sessions: SessionCalls;
  readonly #transport: Transport;

  constructor(options: HttpOptions = {}) {
    this.#transport = new Transport(options);
    this.sessions = new SessionCalls(this.#transport);
  }

  /** Enqueue a search and wait for its end, by long polls. */
  search(search: Search, waiting: Waiting = {}): Promise<Job> {
    return this.#ended("v1/search", body("POST", search, once()), waiting);
  }

  /** Add pictures that the workers see by their path. */
  ingest(collection: string, files: readonly FileReference[], waiting: Waiting = {}): Promise<Job> {
    return this.#ended(`${place(collection)}/items`, body("POST", { files }, once()), waiting);
  }

  /** Add pictures by sending them. */
  upload(collection: string, uploads: readonly Upload[], waiting: Waiting = {}): Promise<Job> {
    const form = new FormData();
    form.set("payload", JSON.stringify(uploads.map(({ payload = null }) => payload)));
    for (const { name, data } of uploads) form.append("files", data, name);
    return this.#ended(`${place(collection)}/items`, { method: "POST", body: form }, waiting);
  }

  async collections(signal?: AbortSignal): Promise<Collection[]> {
    return (await this.#json<{ collections: Collection[] }>("v1/collections", { signal })).collections;
  }

  collection(name: string, signal?: AbortSignal): Promise<Collection> {
    return this.#json<Collection>(place(name), { signal });
  }

  /** One that is there already and the same is left as it is. */
  async createCollection(name: string, spec: CollectionSpec = {}, waiting: Waiting = {}): Promise<void> {
    await this.#settled(await this.#json<Collection | Accepted>(place(name), body("PUT", spec)), waiting);
  }

  async dropCollection(name: string, waiting: Waiting = {}): Promise<void> {
    const response = await this.#transport.end(place(name), "collection-not-found");
    if (response?.status === 202) await this.#settled((await response.json()) as Accepted, waiting);
  }

  item(collection: string, id: number, signal?: AbortSignal): Promise<Item> {
    return this.#json<Item>(itemPath(collection, id), { signal });
  }

  /** What stands before and after an item in its group. */
  neighbours(collection: string, id: number, around: Around = {}, signal?: AbortSignal): Promise<NeighboursResult> {
    return this.#json<NeighboursResult>(`${itemPath(collection, id)}/neighbours?${given(around)}`, { signal });
  }

  /** How many items have which values of these fields, the most frequent ones first. */
  async facets(collection: string, asked: FacetsRequest, signal?: AbortSignal): Promise<Facet[]> {
    const counted = `${place(collection)}/facets`;
    return (await this.#json<FacetsResult>(counted, { ...body("POST", asked), signal })).facets;
  }

  jobs(filter: JobFilter = {}, signal?: AbortSignal): Promise<JobPage> {
    return this.#json<JobPage>(`v1/jobs?${given(filter)}`, { signal });
  }

  job(id: string, signal?: AbortSignal): Promise<Job> {
    return this.#json<Job>(jobPath(id), { signal });
  }

  /** The job when it ended, however it did. Raises ProblemError `timed-out`. */
  async finished(id: string, { timeoutMs = TIMEOUT_MS, signal }: Waiting = {}): Promise<Job> {
    const ends = Date.now() + timeoutMs;
    for (let leftMs = timeoutMs; leftMs > 0; leftMs = ends - Date.now()) {
      const job = await this.#json<Job>(`${jobPath(id)}?wait=${waitS(leftMs)}`, { signal });
      if (!OPEN.has(job.state)) return job;
    }
    throw timedOut(timeoutMs);
  }

  async cancel(id: string): Promise<void> {
    const response = await this.#transport.end(jobPath(id), "job-finished");
    if (response === null && (await this.job(id)).state !== "cancelled") throw ended("failed", JOB_FINISHED);
  }

  async retry(id: string): Promise<void> {
    await this.#transport.send(`${jobPath(id)}/retry`, { method: "POST" });
  }

  /** Apply a verb to the jobs that pass a filter; `next` in the answer says that there are more. */
  sweep(verb: SweepVerb, sweep: Sweep = {}): Promise<Swept> {
    return this.#json<Swept>(`v1/jobs/${verb}`, body("POST", sweep));
  }

  async queues(signal?: AbortSignal): Promise<Queue[]> {
    return (await this.#json<{ queues: Queue[] }>("v1/queues", { signal })).queues;
  }

  pauseQueue(name: string): Promise<Queue> {
    return this.#json<Queue>(`v1/queues/${name}/pause`, { method: "POST" });
  }

  resumeQueue(name: string): Promise<Queue> {
    return this.#json<Queue>(`v1/queues/${name}/resume`, { method: "POST" });
  }

  async workers(signal?: AbortSignal): Promise<Worker[]> {
    return (await this.#json<{ workers: Worker[] }>("v1/workers", { signal })).workers;
  }

  async drainWorker(id: string): Promise<void> {
    await this.#transport.send(`v1/workers/${encodeURIComponent(id)}/drain`, { method: "POST" });
  }

  audit(page: { before?: string | null; limit?: number } = {}, signal?: AbortSignal): Promise<AuditPage> {
    return this.#json<AuditPage>(`v1/audit?${given(page)}`, { signal });
  }

  openapi(signal?: AbortSignal): Promise<unknown> {
    return this.#json<unknown>("openapi.json", { signal });
  }

  mediaUrl(collection: string, id: number, size: MediaSize): string {
    return `${this.#transport.base}${itemPath(collection, id)}/media?size=${size}`;
  }

  async media(collection: string, id: number, size: MediaSize, signal?: AbortSignal): Promise<Blob> {
    return (await this.#transport.send(`${itemPath(collection, id)}/media?size=${size}`, { signal })).blob();
  }

  #json<T>(path: string, init: RequestInit): Promise<T> {
    return this.#transport.json<T>(path, init);
  }

  /** The job that a request makes, when it succeeded. Raises ProblemError with why it did not. */
  async #ended(path: string, init: RequestInit, { timeoutMs = TIMEOUT_MS, signal }: Waiting): Promise<Job> {
    const ends = Date.now() + timeoutMs;
    const taken = await this.#json<Job | Accepted>(`${path}?wait=${waitS(timeoutMs)}`, { ...init, signal });
    const job = "created_at" in taken ? taken : await this.finished(taken.id, { timeoutMs: ends - Date.now(), signal });
    if (job.state !== "succeeded") throw ended(job.state, job.error);
    return job;
  }

  /** A change of a collection that takes longer is answered with its job. */
  async #settled(answer: Collection | Accepted, waiting: Waiting): Promise<void> {
    if (!("state" in answer)) return;
    const job = await this.finished(answer.id, waiting);
    if (job.state !== "succeeded") throw ended(job.state, job.error);
  }
}

const place = (collection: string): string => `v1/collections/${encodeURIComponent(collection)}`;
const itemPath = (collection: string, id: number): string => `${place(collection)}/items/${id}`;
const jobPath = (id: string): string => `v1/jobs/${encodeURIComponent(id)}`;
const waitS = (leftMs: number): number => Math.min(WAIT_S, leftMs / 1_000);

/** A repeated request must not become a second job. */
const once = (): Record<string, string> => ({ "Idempotency-Key": randomKey() });

function body(method: string, value: unknown, headers: Record<string, string> = {}): RequestInit {
  return { method, body: JSON.stringify(value), headers: { "Content-Type": "application/json", ...headers } };
}

function given(filter: object): string {
  const entries = Object.entries(filter) as [string, string | number | null | undefined][];
  const named = entries.filter(([, value]) => value !== undefined && value !== null && value !== "");
  return new URLSearchParams(named.map(([name, value]) => [name, String(value)])).toString();
}
