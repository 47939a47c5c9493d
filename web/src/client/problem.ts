/** A failure that can be shown to a person: an RFC 9457 problem, the API's or our own. */

import type { JobState, Problem } from "./contract.ts";

export class ProblemError extends Error {
  readonly problem: Problem;
  /** Whether it answers a repetition of a request whose first answer was lost. */
  repeated = false;

  constructor(problem: Problem) {
    super(problem.detail ?? problem.title);
    this.name = "ProblemError";
    this.problem = problem;
  }
}

/** Raised by this side; `status` 0 says that no server was involved. */
export function localProblem(type: string, title: string, detail: string, retryable = true): ProblemError {
  return new ProblemError({ type, title, status: 0, detail, retryable });
}

export const superseded = (): ProblemError =>
  localProblem("superseded", "Replaced by a newer search", "A newer search took this one's place.", false);

export const connectionClosed = (): ProblemError =>
  localProblem("closed", "The connection is closed", "No further answers will come over it.");

export const unauthorized = (): ProblemError =>
  new ProblemError({ type: "unauthorized", title: "A valid API key is needed", status: 401, retryable: false });

export const unreachable = (): ProblemError =>
  localProblem("unreachable", "Clipline does not answer", "The server cannot be reached. Is it running, and are you online?");

export const takenBack = (): ProblemError => localProblem("cancelled", "Cancelled", "The search was taken back.", false);

export const timedOut = (timeoutMs: number): ProblemError =>
  localProblem("timed-out", "No answer in time", `Clipline did not answer within ${Math.round(timeoutMs / 1_000)} s.`);

/** Why a job that ended has no result. */
export const ended = (state: JobState, error?: Problem | null): ProblemError =>
  new ProblemError(error ?? { type: state, title: `The job ended as ${state}`, status: 500 });

export function isProblem(value: unknown): value is Problem {
  return typeof value === "object" && value !== null && "title" in value && typeof value.title === "string";
}

export function problemOf(error: unknown): Problem {
  if (error instanceof ProblemError) return error.problem;
  const detail = error instanceof Error ? error.message : String(error);
  return { type: "unexpected", title: "Something went wrong on this page", status: 0, detail, retryable: true };
}
