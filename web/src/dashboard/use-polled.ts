/** Data that keeps itself fresh while somebody looks. */

import { useCallback, useEffect, useRef, useState } from "preact/hooks";

import type { Problem } from "../client/contract.ts";
import { problemOf } from "../client/problem.ts";
import { Poller } from "./poller.ts";

export interface Polled<T> {
  data: T | null;
  /** Why the latest attempt failed; older data may still be there. */
  problem: Problem | null;
  /** When the data came, in milliseconds since 1970. */
  atMs: number;
  refresh: () => void;
}

export const EVERY_MS = 2_000;

/** `load` must keep its identity until something else is to be loaded. */
export function usePolled<T>(load: (signal: AbortSignal) => Promise<T>, everyMs = EVERY_MS): Polled<T> {
  const [answer, setAnswer] = useState<{ data: T; atMs: number } | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const poller = useRef<Poller<T>>(null);
  useEffect(() => {
    const found = (data: T): void => {
      setAnswer({ data, atMs: Date.now() });
      setProblem(null);
    };
    const current = new Poller({ load, everyMs, found, failed: (error) => setProblem(problemOf(error)) });
    poller.current = current;
    const look = (): void => {
      if (document.hidden) current.stop();
      else current.start();
    };
    look();
    document.addEventListener("visibilitychange", look);
    return () => {
      document.removeEventListener("visibilitychange", look);
      current.stop();
    };
  }, [load, everyMs]);
  const refresh = useCallback(() => poller.current?.start(), []);
  return { data: answer?.data ?? null, problem, atMs: answer?.atMs ?? 0, refresh };
}
