/** What the API and its clients say to each other; made from the API's types by `npm run contract`. */

export type Scalar = string | number | boolean;
export type Payload = Record<string, unknown>;
export type JobState =
  | "queued"
  | "running"
  | "succeeded"
  | "failed"
  | "cancelled"
  | "superseded"
  | "expired"
  | "dead";
export type JobKind = "search" | "ingest" | "collection" | "items" | "facets" | "neighbours" | "reindex";
export type Lane = "interactive" | "bulk";

/** Problem details as RFC 9457 defines them; `type` is a reference relative to the API's own documentation. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail?: string;
  field?: string;
  retryable?: boolean;
  retry_after_s?: number;
}

/** Find the pictures nearest to a query; with `then`, the groups in which one thing follows another in time. */
export interface Search {
  collection: string;
  query?: Query;
  then?: Then[];
  limit?: number;
  filter?: Filter;
  seen?: number[];
  exclude?: Exclude;
  group_by?: string;
  group_size?: number;
  payload?: boolean;
  session?: string;
  slot?: string;
  lane?: Lane;
  deadline_ms?: number;
  marks?: boolean;
  remember?: boolean;
  next?: boolean;
}

/** What to look for; the parts combine. `image` is base64 in JSON. */
export interface Query {
  text?: string;
  texts?: WeightedText[];
  /** Base64, without a data: prefix. */
  image?: string;
  item?: number;
  positive?: number[];
  negative?: number[];
  feedback?: "classifier" | "recommend" | "rocchio";
}

/** One text of several. A negative weight leads away from what it says. */
export interface WeightedText {
  text: string;
  weight?: number;
}

/** A later step of a sequence: it begins after the step before it, at most `within_s` seconds after that ended. */
export interface Then {
  query: Query;
  within_s?: number;
}

/** All of `must`, at least one of `should` (when there are any), none of `must_not`. */
export interface Filter {
  must?: Condition[];
  should?: Condition[];
  must_not?: Condition[];
}

/** One test of the payload field `key`, or a `nested` one, or an inner filter of must, should and must_not. */
export interface Condition {
  key?: string;
  match?: Scalar | Scalar[] | TextMatch;
  range?: NumberRange;
  geo_radius?: GeoRadius;
  geo_bounding_box?: GeoBox;
  is_empty?: boolean;
  is_null?: boolean;
  nested?: Nested;
  must?: Condition[];
  should?: Condition[];
  must_not?: Condition[];
}

/** All words of `text`, or at least one of `text_any`; whole words, whatever their case. */
export interface TextMatch {
  text?: string;
  text_any?: string;
}

/** Bounds of a number, or of a moment in ISO 8601 (UTC where no offset is said); at least one is given. */
export interface NumberRange {
  gt?: number | string;
  gte?: number | string;
  lt?: number | string;
  lte?: number | string;
}

/** Within `radius` metres of a point. */
export interface GeoRadius {
  center: GeoPoint;
  radius: number;
}

/** Degrees, as payloads have them. */
export interface GeoPoint {
  lon: number;
  lat: number;
}

/** Between two corners; one whose left edge lies east of its right one goes around the date line. */
export interface GeoBox {
  top_left: GeoPoint;
  bottom_right: GeoPoint;
}

/** At least one object of the list at `key` passes the whole filter, whose keys start at that object. */
export interface Nested {
  key: string;
  filter: Filter;
}

/** What must not come back: items, and whole groups by the collection's `group_field`. */
export interface Exclude {
  ids?: number[];
  groups?: (string | number)[];
}

/** Hits best first; with `group_by`, groups by their best hit; with `then`, groups by their best sequence. */
export interface SearchResult {
  took: SearchTook;
  model: string;
  exhausted: boolean;
  hits?: Hit[];
  groups?: Group[];
  truncated?: boolean;
  relevant?: number;
  line?: number;
}

/** Of a search also how the store went about it: the last plan, and in how many rounds all hits were found. */
export interface SearchTook {
  queue_ms: number;
  encode_ms: number;
  search_ms: number;
  total_ms: number;
  plan: "exact" | "graph" | "graph+acorn" | "graph+drop" | "scan" | "scan+drop";
  rounds: number;
}

/** One picture; `source` is where it came from, told with the payload. */
export interface Hit {
  id: number;
  score: number;
  source?: string;
  payload?: Payload;
}

/** A group with its best hits; of a sequence with one for each step, in time, and the mean of their scores. */
export interface Group {
  group: string | number;
  hits: Hit[];
  score?: number;
}

/** Files by what became of them; `frames` are the items that videos brought, `partial` videos of which a part could */
export interface IngestResult {
  collection: string;
  added: number;
  updated: number;
  unchanged: number;
  frames: number;
  skipped: Skipped[];
  failed: Skipped[];
  partial: Skipped[];
  wanted: string[];
  count: number;
  took: Took;
}

/** A file that was not indexed, and why. */
export interface Skipped {
  source: string;
  reason: string;
  type: string;
}

/** Milliseconds by stage. */
export interface Took {
  queue_ms: number;
  encode_ms: number;
  search_ms: number;
  total_ms: number;
}

/** The items that exist, in the order asked for. */
export interface ItemsResult {
  items: Item[];
}

/** A stored picture: its payload and where it came from. `hash` is the file's, `moment` is there for videos. */
export interface Item {
  id: number;
  source: string;
  hash: string;
  width: number;
  height: number;
  payload: Payload;
  moment: Moment | null;
}

/** What an item shows of a video: the piece from `start_s` to `end_s` by its frame at `moment_s`, in seconds. */
export interface Moment {
  source: string;
  position: number;
  start_s: number;
  end_s: number;
  moment_s: number;
}

/** A collection as clients see it; `model` is the fingerprint of the encoder that filled it, `model_name` the model */
export interface Collection {
  name: string;
  count: number;
  model: string | null;
  dim: number | null;
  group_field: string | null;
  order_field: string | null;
  payload: Record<string, string>;
  created_at: string;
  generation: number;
  model_name: string;
}

/** A job that was taken; `position` jobs were in its lane before it. */
export interface Accepted {
  id: string;
  state: JobState;
  kind: JobKind;
  lane: Lane;
  collection: string;
  position: number | null;
}

/** A job as clients see it; times are ISO 8601 UTC. It waits for a worker that holds the model `model_name`. */
export interface Job {
  id: string;
  kind: JobKind;
  state: JobState;
  lane: Lane;
  collection: string;
  tenant: string;
  created_at: string;
  started_at: string | null;
  finished_at: string | null;
  attempts: number;
  worker: string | null;
  text: string | null;
  session: string | null;
  trace: string | null;
  timings: Took | null;
  result: Payload | null;
  error: Problem | null;
  history: Attempt[];
  redacted: boolean;
  model_name: string;
}

/** A start of a job that brought no result, and why; times are ISO 8601 UTC. */
export interface Attempt {
  attempt: number;
  worker: string;
  started_at: string;
  ended_at: string;
  problem: Problem;
}

/** Jobs newest first; `next` is the cursor of the page after. `left_out`: tenants too many to be looked at. */
export interface JobPage {
  jobs: Job[];
  next: string | null;
  left_out?: number;
}

/** `payload` is null when it is no longer kept; `cut` has the full length of lists. `dropped_bytes` is the size of */
export interface JobRequest {
  payload: Payload | null;
  cut: Record<string, number>;
  dropped_bytes: number | null;
}

export interface StateCounts {
  states: Record<string, number>;
}

export interface CollectionList {
  collections: Collection[];
}

/** What a collection is made with; `payload` names its filterable fields. */
export interface CollectionSpec {
  group_field?: string;
  order_field?: string;
  payload?: Record<string, "bool" | "datetime" | "float" | "geo" | "integer" | "keyword" | "text">;
  model_name?: string;
}

/** `leave_out`: switch even if some pictures can no longer be read, which are gone from the collection then. */
export interface ReindexRequest {
  leave_out?: boolean;
  model_name?: string;
}

/** Files that the workers can see, by absolute `path`; or known by `hash` alone, to ask which are wanted. */
export interface IngestRequest {
  files: FileReference[];
}

/** One picture to ingest: by `path` where the workers see it, in the upload's spool, or by `hash` alone to ask. */
export interface FileReference {
  source: string;
  path?: string;
  hash?: string;
  payload?: Payload;
}

/** An item, null when it does not exist, between those of its group; without a group or a place it stands alone. */
export interface NeighboursResult {
  item: Item | null;
  group: string | number | null;
  before: Item[];
  after: Item[];
}

/** Fields whose values are counted, the `limit` most frequent ones of each, among the items that pass `filter`. */
export interface FacetsRequest {
  fields: string[];
  filter?: Filter;
  limit?: number;
}

/** In the order asked for. */
export interface FacetsResult {
  facets: Facet[];
}

/** The values of one field, the most frequent ones first. */
export interface Facet {
  field: string;
  values: FacetValue[];
}

/** A value and how many items have it. */
export interface FacetValue {
  value: Scalar;
  count: number;
}

/** Sessions newest first; `next` is the cursor of the page after. */
export interface SessionPage {
  sessions: ListedSession[];
  next: string | null;
}

/** A session: when it was made, when it ends if nobody uses it, and in which collections it holds something. */
export interface ListedSession {
  session: string;
  created_at: string;
  ends_at: string;
  collections: string[];
  team: string | null;
  member: string | null;
}

export interface NewSession {
  session: string;
}

/** A session: when it was made, in which collections it holds something, and, if one is asked for, its sets. */
export interface SessionView {
  session: string;
  created_at: string;
  collections: string[];
  team: string | null;
  member: string | null;
  members: string[];
  sets: Sets | null;
}

/** A session's sets in one collection; ids and groups in no particular order. */
export interface Sets {
  collection: string;
  revision: number;
  counts: Counts;
  seen: number[];
  exclude: Mark[];
  positive: Mark[];
  negative: Mark[];
  exclude_groups: GroupMark[];
}

/** How many each set holds. */
export interface Counts {
  seen: number;
  exclude: number;
  positive: number;
  negative: number;
  exclude_groups: number;
}

/** An item in a set, and the member of the team who put it there, where there is one. */
export interface Mark {
  id: number;
  by: string | null;
}

export interface GroupMark {
  group: string | number;
  by: string | null;
}

/** Everything that a session holds; `version` is that of this form. */
export interface Archive {
  version?: 1;
  collections?: ArchivedSets[];
}

/** What the session holds in one collection. */
export interface ArchivedSets {
  collection: string;
  seen?: number[];
  exclude?: ArchivedMark[];
  positive?: ArchivedMark[];
  negative?: ArchivedMark[];
  exclude_groups?: ArchivedGroup[];
}

/** `by` tells who it was; what is read in is marked by whoever reads it in. */
export interface ArchivedMark {
  id: number;
  by?: string;
}

export interface ArchivedGroup {
  group: string | number;
  by?: string;
}

/** Under which name somebody joins a session. */
export interface Joining {
  name: string;
}

/** A member's own session: its jobs, pushes and pages are the member's, its marks those of the team's session. */
export interface Seat {
  session: string;
  team: string;
  member: string;
}

/** Newest first. */
export interface SessionHistory {
  history: PastSearch[];
}

/** A query of the session's. `search` can be sent again as it is; it is null when it was too large to be kept. */
export interface PastSearch {
  at: string;
  job: string;
  collection: string;
  by: string | null;
  slot: string | null;
  search: Payload | null;
  picture: boolean;
}

/** A change of a session's sets in one collection; `clear` empties sets before anything is added to them. */
export interface Marks {
  collection: string;
  seen?: IdChange;
  exclude?: IdChange;
  positive?: MarkChange;
  negative?: MarkChange;
  exclude_groups?: GroupChange;
  clear?: ("exclude" | "exclude_groups" | "negative" | "positive" | "seen")[];
}

/** Items to add to a set and to take out of it; what is there already, or not there, changes nothing. */
export interface IdChange {
  add?: number[];
  remove?: number[];
}

/** The same for examples, of which there are fewer. */
export interface MarkChange {
  add?: number[];
  remove?: number[];
}

/** The same for groups, by their value of the collection's `group_field`. */
export interface GroupChange {
  add?: (string | number)[];
  remove?: (string | number)[];
}

/** A session's sets after a change; `revision` grows with every one. */
export interface Marked {
  session: string;
  collection: string;
  revision: number;
  counts: Counts;
  forgotten: number;
  undo: number;
  redo: number;
}

/** Which collection's last change to take back, or to do again. */
export interface Step {
  collection: string;
}

export interface WorkerList {
  workers: Worker[];
}

/** One heartbeat; counters only grow. `batch_sizes` counts batches of 1, 2, up to 4, up to 8 … items. */
export interface Worker {
  id: string;
  host: string;
  pid: number;
  state: string;
  device: string;
  model: string;
  fingerprint: string;
  dim: number;
  precision: string;
  store: string;
  started_at: string;
  last_seen_at: string;
  max_jobs: number;
  running: number;
  succeeded: number;
  failed: number;
  retried: number;
  batches: number;
  items: number;
  largest_batch: number;
  busy_s: number;
  waiting: number;
  memory_bytes: number;
  device_memory_bytes: number;
  batch_sizes: number[];
  cache_hits: number;
  cache_misses: number;
  halved_batches: number;
  max_batch: number;
  max_batch_tokens: number;
  max_batch_images: number;
  texts_s: number;
  text_batch_ms: number;
  images_s: number;
  image_batch_ms: number;
  models: HeldModel[];
}

/** A model that a worker holds: its name in the fleet, what it is, and the budget of its batches, as in the */
export interface HeldModel {
  name: string;
  model: string;
  fingerprint: string;
  dim: number;
  precision: string;
  max_batch: number;
  max_batch_tokens: number;
  max_batch_images: number;
  texts_s: number;
  text_batch_ms: number;
  images_s: number;
  image_batch_ms: number;
}

export interface QueueList {
  queues: Queue[];
}

/** A queue as clients see it: `depth` jobs wait, the oldest since `oldest_age_s`, for a worker that holds the model */
export interface Queue {
  name: string;
  depth: number;
  running: number;
  oldest_age_s: number | null;
  paused: boolean;
  max_depth: number;
  model_name: string;
}

/** Which jobs: those of one state that pass all the rest, newest first, or those of `ids` alone. */
export interface Sweep {
  state?: JobState;
  kind?: JobKind;
  collection?: string;
  worker?: string;
  error?: string;
  q?: string;
  since?: string;
  until?: string;
  tenant?: string;
  ids?: string[];
  before?: string;
  limit?: number;
}

/** `done` jobs were changed; `skipped` had changed by themselves. With `next` there are more. */
export interface Swept {
  state: JobState;
  done: number;
  skipped: number;
  next: string | null;
}

/** Newest first; `next` is the cursor of the page after. */
export interface AuditPage {
  entries: AuditEntry[];
  next: string | null;
}

/** One act. `target` is a lane, a worker or a filter; `done` counts jobs. */
export interface AuditEntry {
  id: string;
  at: string;
  action: "jobs.cancel" | "jobs.purge" | "jobs.replay" | "lane.pause" | "lane.resume" | "worker.drain";
  target: string;
  tenant: string;
  role: string;
  done: number;
}

/** Steps of `step_s` from `starts_at` on; the last one is still filling. `lost`: gaps in what could be counted. */
export interface Statistics {
  span: "15m" | "1h" | "24h" | "7d";
  starts_at: string;
  step_s: number;
  bounds_ms: number[];
  lanes: LaneHistory[];
  errors: ErrorHistory[];
  fleet: FleetHistory;
  lost: number;
}

/** Lists have one number for each step, oldest first; `waits` one list of buckets for each step. */
export interface LaneHistory {
  name: string;
  in_per_s: number;
  out_per_s: number;
  wait: Quantiles;
  run: Quantiles;
  came: number[];
  left: number[];
  wrong: number[];
  depth: number[];
  running: number[];
  oldest_age_ms: number[];
  wait_p95_ms: (number | null)[];
  waits: number[][];
}

/** Of `count` durations, in milliseconds; null without any. */
export interface Quantiles {
  count: number;
  p50_ms: number | null;
  p95_ms: number | null;
  p99_ms: number | null;
}

/** Jobs that ended wrong with one type of problem. */
export interface ErrorHistory {
  type: string;
  counts: number[];
}

/** `device_use` is the share of the time in which devices computed; null where nobody looked. */
export interface FleetHistory {
  workers: number[];
  memory_bytes: number[];
  device_use: (number | null)[];
  batch_mean: (number | null)[];
  cache_hits: number;
  cache_misses: number;
}

/** Tenants with jobs, by name; `next` is the `after` of the page after. */
export interface TenantPage {
  tenants: TenantUsage[];
  limits: Limits;
  next: string | null;
}

/** Counts are now; `tokens` are the jobs that its rate admits at once, null without a rate. */
export interface TenantUsage {
  name: string;
  queued: number;
  running: number;
  dead: number;
  kept: number;
  collections: number;
  weight: number;
  tokens: number | null;
  today: Used;
  yesterday: Used;
}

/** Jobs of one day, in UTC; `run_ms` is the time that workers ran them. */
export interface Used {
  came: number;
  left: number;
  wrong: number;
  run_ms: number;
}

/** The same for every tenant; a rate of 0 is none. */
export interface Limits {
  max_open: number;
  rate: number;
  burst: number;
  keep_jobs: number;
  keep_dead: number;
}

/** Who asks, and what may be done: `may_control` is false for viewers, and for everybody in read-only mode. */
export interface Caller {
  tenant: string;
  role: "operator" | "user" | "viewer";
  may_operate: boolean;
  may_control: boolean;
  read_only: boolean;
  keys: boolean;
  operators_see: string;
}

export interface Alive {
  alive: boolean;
}

/** `redis` answers and has `memory` left, `queue` has room in all lanes that a worker serves, `workers` beat their */
export interface Ready {
  ready: boolean;
  redis: boolean;
  memory: boolean;
  queue: boolean;
  workers: number;
  missing?: string[];
}

/** The first frame of a browser, which cannot set headers. */
export interface HelloFrame {
  op: "hello";
  key: string;
}

/** `search` is what POST /v1/search takes; its session is the connection's. `traceparent` is W3C's. */
export interface SearchFrame {
  op: "search";
  id: string;
  search: Search;
  key?: string;
  traceparent?: string;
}

export interface CancelFrame {
  op: "cancel";
  job: string;
  id?: string;
}

/** A snapshot of one job, then its events, under `id` when one is given. */
export interface WatchFrame {
  op: "watch";
  job: string;
  id?: string;
}

export interface PingFrame {
  op: "ping";
  id?: string;
}

/** Operators only: pulses from now on, while anything happens to anybody's jobs. */
export interface FollowFrame {
  op: "follow";
  id?: string;
}

/** A change of what the connection's session holds. */
export interface MarkFrame {
  op: "mark";
  collection: string;
  seen?: IdChange;
  exclude?: IdChange;
  positive?: MarkChange;
  negative?: MarkChange;
  exclude_groups?: GroupChange;
  clear?: ("exclude" | "exclude_groups" | "negative" | "positive" | "seen")[];
  id?: string;
}

/** Take back the last change. */
export interface UndoFrame {
  op: "undo";
  collection: string;
  id?: string;
}

/** Do again what was taken back last. */
export interface RedoFrame {
  op: "redo";
  collection: string;
  id?: string;
}

/** `seq` is the place from which to resume before any other frame has come. */
export interface Welcome {
  op: "welcome";
  session: string;
  seq: string;
  recovered: boolean;
}

/** `position` jobs were in the lane before it. */
export interface AcceptedFrame {
  op: "accepted";
  id: string;
  job: string;
  position?: number;
}

/** A job changed its state, or its place in the queue: `position` jobs of its lane wait before it. */
export interface JobEvent {
  op: "event";
  id: string | null;
  seq: string;
  job: string;
  state: JobState;
  at: string | null;
  position?: number;
  stage?: "encode" | "ingest" | "reindex" | "search" | "video";
  done?: number;
  total?: number;
}

/** A job's one terminal frame, with either its result or its error. */
export interface JobResult {
  op: "result";
  id: string | null;
  seq: string;
  job: string;
  state: JobState;
  result?: unknown;
  error?: Problem;
}

/** A frame that was not accepted; the socket stays open. */
export interface RefusedFrame {
  op: "error";
  id: string | null;
  error: Problem;
  job: string | null;
}

export interface PongFrame {
  op: "pong";
  id?: string;
}

/** Something happened: what was read before is out of date. At most two a second. */
export interface PulseFrame {
  op: "pulse";
}

/** The answer to a change of what the session holds. */
export interface MarkedFrame {
  op: "marked";
  session: string;
  collection: string;
  revision: number;
  counts: Counts;
  forgotten: number;
  undo: number;
  redo: number;
  id: string | null;
}

/** What the connection's session holds in a collection has changed, through whomever of its team. */
export interface SessionFrame {
  op: "session";
  session: string;
  seq: string;
  at: string | null;
  collection: string | null;
  revision: number | null;
  by: string | null;
  changes: SetChange[] | null;
  ended?: boolean;
}

/** What really came into a set and what really left it: ids of items, or, of `exclude_groups`, groups. */
export interface SetChange {
  set: "exclude" | "exclude_groups" | "negative" | "positive" | "seen";
  add: (string | number)[];
  remove: (string | number)[];
}

export type ClientFrame =
  | HelloFrame
  | SearchFrame
  | CancelFrame
  | WatchFrame
  | PingFrame
  | FollowFrame
  | MarkFrame
  | UndoFrame
  | RedoFrame;
export type ServerFrame =
  | Welcome
  | AcceptedFrame
  | JobEvent
  | JobResult
  | RefusedFrame
  | PongFrame
  | PulseFrame
  | MarkedFrame
  | SessionFrame;
