/** Clipline's typed client for browsers and Node. */

export { Backoff } from "./backoff.ts";
export type { BackoffOptions } from "./backoff.ts";
export { Clipline } from "./clipline.ts";
export type { CliplineOptions } from "./clipline.ts";
export type { ConnectionOptions, ConnectionState, Socket, SocketConstructor } from "./connection.ts";
export type * from "./contract.ts";
export type { JobFrame } from "./feed.ts";
export { HttpClient } from "./http.ts";
export type { Around, HttpOptions, JobFilter, MediaSize, SweepVerb, Upload, Waiting } from "./http.ts";
export { LiveClient } from "./live.ts";
export type { JobListener, LiveOptions, SearchOptions, SessionListener, StateListener } from "./live.ts";
export { isProblem, problemOf, ProblemError } from "./problem.ts";
export { Run } from "./run.ts";
export { SessionCalls } from "./sessions.ts";
export { Typeahead } from "./typeahead.ts";
export type { Searcher } from "./typeahead.ts";
