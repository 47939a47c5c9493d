/** The HTTP side of the API: JSON in, JSON out, problems as exceptions. */

import type { Collection, Item, Job, JobPage, JobState, Queue, Worker } from "./contract.ts";
import { isProblem, ProblemError, unreachable } from "./problem.ts";

export interface JobFilter {
  state?: JobState | "";
  q?: string;
  before?: string | null;
  limit?: number;
}

export interface HttpOptions {
  /** The API's address with a trailing slash, or "" for addresses relative to the page. */
  base?: string;
  key?: () => string | null;
}

export type MediaSize = "thumb" | "full";

export class HttpClient {
  readonly #base: string;
  readonly #key: () => string | null;

  constructor({ base = "", key = () => null }: HttpOptions = {}) {
    this.#base = base;
    this.#key = key;
  }

  async collections(signal?: AbortSignal): Promise<Collection[]> {
    return (await this.#json<{ collections: Collection[] }>("v1/collections", { signal })).collections;
  }

  item(collection: string, id: number, signal?: AbortSignal): Promise<Item> {
    return this.#json<Item>(itemPath(collection, id), { signal });
  }

  jobs(filter: JobFilter = {}, signal?: AbortSignal): Promise<JobPage> {
    const given = Object.entries(filter).filter(([, value]) => value !== undefined && value !== null && value !== "");
    const search = new URLSearchParams(given.map(([name, value]) => [name, String(value)]));
    return this.#json<JobPage>(`v1/jobs?${search.toString()}`, { signal });
  }

  job(id: string, signal?: AbortSignal): Promise<Job> {
    return this.#json<Job>(`v1/jobs/${encodeURIComponent(id)}`, { signal });
  }

  async cancel(id: string): Promise<void> {
    await this.#send(`v1/jobs/${encodeURIComponent(id)}`, { method: "DELETE" });
  }

  async retry(id: string): Promise<void> {
    await this.#send(`v1/jobs/${encodeURIComponent(id)}/retry`, { method: "POST" });
  }

  async queues(signal?: AbortSignal): Promise<Queue[]> {
    return (await this.#json<{ queues: Queue[] }>("v1/queues", { signal })).queues;
  }

  async workers(signal?: AbortSignal): Promise<Worker[]> {
    return (await this.#json<{ workers: Worker[] }>("v1/workers", { signal })).workers;
  }

  openapi(signal?: AbortSignal): Promise<unknown> {
    return this.#json<unknown>("openapi.json", { signal });
  }

  mediaUrl(collection: string, id: number, size: MediaSize): string {
    return `${this.#base}${itemPath(collection, id)}/media?size=${size}`;
  }

  async media(collection: string, id: number, size: MediaSize, signal?: AbortSignal): Promise<Blob> {
    return (await this.#send(`${itemPath(collection, id)}/media?size=${size}`, { signal })).blob();
  }

  async #json<T>(path: string, init: RequestInit): Promise<T> {
    return (await (await this.#send(path, init)).json()) as T;
  }

  async #send(path: string, init: RequestInit): Promise<Response> {
    const key = this.#key();
    const headers = key === null ? undefined : { Authorization: `Bearer ${key}` };
    const response = await fetch(`${this.#base}${path}`, { ...init, headers }).catch((error: unknown) => {
      if (init.signal?.aborted) throw error;
      throw unreachable();
    });
    if (!response.ok) throw await failureOf(response);
    return response;
  }
}

function itemPath(collection: string, id: number): string {
  return `v1/collections/${encodeURIComponent(collection)}/items/${id}`;
}

/** A proxy in between may answer with a page of its own instead of a problem. */
async function failureOf(response: Response): Promise<ProblemError> {
  const body: unknown = await response.json().catch(() => null);
  if (isProblem(body)) return new ProblemError({ ...body, status: response.status });
  const title = response.statusText === "" ? `Status ${response.status}` : response.statusText;
  return new ProblemError({ type: "http", title, status: response.status, retryable: response.status >= 500 });
}
