/** The collections that this searcher may look through. */

import { useCallback, useEffect, useState } from "preact/hooks";

import type { Collection, Problem } from "../client/contract.ts";
import type { HttpClient } from "../client/http.ts";
import { problemOf } from "../client/problem.ts";

const PREFERRED = "pictograms";

export interface Collections {
  list: Collection[] | null;
  problem: Problem | null;
  reload: () => void;
}

export function useCollections(http: HttpClient, round: number): Collections {
  const [list, setList] = useState<Collection[] | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [asked, setAsked] = useState(0);
  const reload = useCallback(() => setAsked((before) => before + 1), []);
  useEffect(() => {
    const gone = new AbortController();
    const found = (collections: Collection[]): void => {
      setList(collections);
      setProblem(null);
    };
    const failed = (error: unknown): void => {
      if (!gone.signal.aborted) setProblem(problemOf(error));
    };
    http.collections(gone.signal).then(found, failed);
    return () => gone.abort();
  }, [http, round, asked]);
  useLookAgain(list !== null && list.length === 0, reload);
  return { list, problem, reload };
}

/** Who ingests in a terminal comes back to a page that has noticed. */
function useLookAgain(empty: boolean, reload: () => void): void {
  useEffect(() => {
    if (!empty) return;
    const look = (): void => {
      if (document.visibilityState === "visible") reload();
    };
    document.addEventListener("visibilitychange", look);
    addEventListener("focus", look);
    return () => {
      document.removeEventListener("visibilitychange", look);
      removeEventListener("focus", look);
    };
  }, [empty, reload]);
}

/** What the address names, else the sample collection, else the first. */
export function choose(list: readonly Collection[] | null, named: string | null): string | null {
  if (named !== null) return named;
  return (list?.find(({ name }) => name === PREFERRED) ?? list?.[0])?.name ?? null;
}
