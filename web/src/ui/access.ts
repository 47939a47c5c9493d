/** Whether this tab may speak with the API, shared by all pages. */

import { useCallback, useState } from "preact/hooks";

import type { Problem } from "../client/contract.ts";
import { forgetKey, keepKey, readKey } from "./key.ts";

export interface Access {
  key: string | null;
  asking: boolean;
  wrong: boolean;
  /** Changes with each key, so that what depends on it loads again. */
  round: number;
  denied: () => void;
  check: (problem: Problem) => void;
  accept: (key: string) => void;
  dismiss: () => void;
  forget: () => void;
}

const UNAUTHORIZED = 401;

export function useAccess(): Access {
  const [key, setKey] = useState(readKey);
  const [asking, setAsking] = useState(false);
  const [round, setRound] = useState(0);
  const denied = useCallback(() => setAsking(true), []);
  const check = useCallback((problem: Problem) => problem.status === UNAUTHORIZED && setAsking(true), []);
  const dismiss = useCallback(() => setAsking(false), []);
  const change = useCallback((given: string | null) => {
    if (given === null) forgetKey();
    else keepKey(given);
    setKey(given);
    setAsking(false);
    setRound((before) => before + 1);
  }, []);
  const forget = useCallback(() => change(null), [change]);
  return { key, asking, wrong: asking && key !== null, round, denied, check, accept: change, dismiss, forget };
}
