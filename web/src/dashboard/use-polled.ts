/** Data that keeps itself fresh while somebody looks: asked again when something happened, and now and then. */

import { useCallback, useContext, useEffect, useRef, useState } from "preact/hooks";

import type { Problem } from "../client/contract.ts";
import { problemOf } from "../client/problem.ts";
import { Poller } from "./poller.ts";
import { PulseOf } from "./use-pulse.ts";

export interface Polled<T> {
  data: T | null;
  /** Why the latest attempt failed; older data may still be there. */
  problem: Problem | null;
  /** When the data came, in milliseconds since 1970. */
  atMs: number;
  refresh: () => void;
}

/** Without any pulse: workers beat and ages grow though no job moves. */
export const EVERY_MS = 5_000;
/** However much happens, nobody reads faster. */
const AT_MOST_EVERY_MS = 1_000;

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
    const look = (): void => (document.hidden ? current.stop() : current.start());
    look();
    document.addEventListener("visibilitychange", look);
    return () => {
      document.removeEventListener("visibilitychange", look);
      current.stop();
    };
  }, [load, everyMs]);
  const refresh = useCallback(() => poller.current?.start(), []);
  useBeat(refresh);
  return { data: answer?.data ?? null, problem, atMs: answer?.atMs ?? 0, refresh };
}

/** Calls at a pulse, or as soon after the call before as that is due. */
function useBeat(act: () => void): void {
  const pulse = useContext(PulseOf);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let lastMs = 0;
    const beat = (): void => {
      if (timer !== undefined || document.hidden) return;
      timer = setTimeout(() => {
        timer = undefined;
        lastMs = Date.now();
        act();
      }, Math.max(0, lastMs + AT_MOST_EVERY_MS - Date.now()));
    };
    const leave = pulse?.onBeat(beat);
    return () => {
      clearTimeout(timer);
      leave?.();
    };
  }, [pulse, act]);
}
