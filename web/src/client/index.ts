/** Clipline's typed client for browsers and Node. */

export { Backoff } from "./backoff.ts";
export type { ConnectionOptions, ConnectionState, Socket } from "./connection.ts";
export type * from "./contract.ts";
export { HttpClient } from "./http.ts";
export type { HttpOptions, JobFilter, MediaSize } from "./http.ts";
export { LiveClient } from "./live.ts";
export type { JobListener, SearchOptions } from "./live.ts";
export { isProblem, problemOf, ProblemError } from "./problem.ts";
