/** Who is told what by a live client. */

import type { ConnectionOptions, ConnectionState } from "./connection.ts";
import type { SessionFrame } from "./contract.ts";
import type { JobFrame } from "./feed.ts";
import type { ProblemError } from "./problem.ts";

export type JobListener = (frame: JobFrame) => void;
/** Null: what became of the session meanwhile is not known, it is to be read. */
export type SessionListener = (frame: SessionFrame | null) => void;
export type StateListener = (state: ConnectionState) => void;

export interface LiveOptions extends ConnectionOptions {
  /** For how long a search that a busy server refuses is sent again; by default not at all. */
  patienceMs?: number;
}

export interface Watcher {
  told: JobListener;
  refused: (error: ProblemError) => void;
}
