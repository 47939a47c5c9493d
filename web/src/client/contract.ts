/** What the API and its clients say to each other. */

export type JobState =
  | "queued"
  | "running"
  | "succeeded"
  | "failed"
  | "cancelled"
  | "superseded"
  | "expired"
  | "dead";
export type JobKind = "search" | "ingest" | "collection" | "items";
export type Lane = "interactive" | "bulk";
export type Scalar = string | number | boolean;
export type Payload = Record<string, unknown>;

export interface Query {
  text?: string;
  /** Base64, without a data: prefix. */
  image?: string;
  item?: number;
  positive?: number[];
  negative?: number[];
}

export interface Condition {
  key: string;
  match?: Scalar | Scalar[];
  range?: { gt?: number; gte?: number; lt?: number; lte?: number };
}

export interface Filter {
  must?: Condition[];
  should?: Condition[];
  must_not?: Condition[];
}

export interface Search {
  collection: string;
  query: Query;
  limit?: number;
  filter?: Filter;
  seen?: number[];
  exclude?: { ids?: number[]; groups?: (string | number)[] };
  group_by?: string;
  group_size?: number;
  payload?: boolean;
  session?: string;
  slot?: string;
  lane?: Lane;
  deadline_ms?: number;
}

export interface Hit {
  id: number;
  score: number;
  source?: string;
  payload?: Payload;
}

export interface Took {
  queue_ms: number;
  encode_ms: number;
  search_ms: number;
  total_ms: number;
}

export interface SearchResult {
  took: Took;
  model: string;
  exhausted: boolean;
  hits?: Hit[];
  groups?: { group: string | number; hits: Hit[] }[];
  truncated?: boolean;
}

/** RFC 9457. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail?: string;
  field?: string;
  retryable?: boolean;
  retry_after_s?: number;
}

/** Times are ISO 8601 UTC. */
export interface Job {
  id: string;
  kind: JobKind;
  state: JobState;
  lane: Lane;
  collection?: string | null;
  tenant?: string;
  created_at: string;
  started_at?: string | null;
  finished_at?: string | null;
  attempts?: number;
  worker?: string | null;
  timings?: Record<string, number> | null;
  result?: unknown;
  error?: Problem | null;
  /** What was asked for, in words. */
  text?: string | null;
}

export interface Collection {
  name: string;
  count: number;
  model: string | null;
  group_field?: string | null;
  payload?: Record<string, string>;
}

export interface Item {
  id: number;
  source: string;
  hash: string;
  width: number;
  height: number;
  payload: Payload;
}

export interface Worker {
  id: string;
  host: string;
  pid: number;
  device: string;
  model: string;
  fingerprint: string;
  started_at: string;
  last_seen_at: string;
  state: string;
  running: number;
  succeeded: number;
  failed: number;
  max_jobs: number;
  batches?: number;
  items?: number;
}

export interface Queue {
  name: string;
  depth: number;
  running: number;
  oldest_age_s: number | null;
  paused?: boolean;
}

export interface JobPage {
  jobs: Job[];
  next: string | null;
}

export type ClientFrame =
  | { op: "hello"; key: string }
  | { op: "search"; id: string; search: Search }
  | { op: "cancel"; job: string }
  | { op: "watch"; job: string }
  | { op: "ping" };

export interface Welcome {
  op: "welcome";
  session: string;
  seq: string;
  recovered: boolean;
}

/** A step of a job that has not ended. */
export interface JobEvent {
  op: "event";
  id?: string | null;
  seq: string;
  job: string;
  state: JobState;
}

/** The one terminal frame of a job. */
export interface JobResult {
  op: "result";
  id?: string | null;
  seq: string;
  job: string;
  state: JobState;
  result?: SearchResult;
  error?: Problem;
}

export type ServerFrame =
  | Welcome
  | { op: "accepted"; id: string; job: string }
  | JobEvent
  | JobResult
  | { op: "error"; id?: string | null; error: Problem }
  | { op: "pong" };
