/** Keeps the page's marks in step with the server's session. */

import { useCallback, useEffect, useMemo, useState } from "preact/hooks";

import type { Problem } from "../client/contract.ts";
import type { HttpClient } from "../client/http.ts";
import type { LiveClient } from "../client/live.ts";
import type { Change } from "./held.ts";
import type { Kept } from "./kept-marks.ts";
import { KeptMarks } from "./kept-marks.ts";
import { SessionName } from "./session-name.ts";

export interface Keeping extends Kept {
  session: string | null;
  mark: (change: Change) => void;
  step: (way: "undo" | "redo") => Promise<Problem | null>;
  retry: () => void;
  /** How many sessions were over while the page was open, and had others begun in their place. */
  ended: number;
  /** Go on in another session, or, without one, in a new one. */
  enter: (session: string | null) => void;
}

export function useKept(http: HttpClient, live: LiveClient, collection: string | null): Keeping {
  const [, setRound] = useState(0);
  const [ended, setEnded] = useState(0);
  const name = useMemo(() => new SessionName(), []);
  const goOnIn = useCallback(
    (another: string | null) => {
      setEnded((before) => before + 1);
      live.enter(another);
    },
    [live],
  );
  const session = useSession(live, name);
  const marks = useMemo(
    () => new KeptMarks(http.sessions, { changed: () => setRound((before) => before + 1), lost: () => goOnIn(null) }),
    [http, goOnIn],
  );
  useEffect(() => {
    marks.open(session, collection);
    return () => marks.close();
  }, [marks, session, collection]);
  useEffect(() => live.onSession((frame) => {
    if (frame?.ended) goOnIn(name.insteadOf(frame.session));
    else if (frame !== null) marks.hear(frame);
    // Of another session than before the effect above takes care.
    else if (live.session === session) marks.retry();
  }), [live, name, marks, session, goOnIn]);
  useEffect(() => {
    const retry = (): void => marks.retry();
    addEventListener("online", retry);
    return () => removeEventListener("online", retry);
  }, [marks]);
  return {
    ...marks.kept,
    session,
    ended,
    mark: useCallback((change) => marks.mark(change), [marks]),
    step: useCallback((way) => marks.step(way), [marks]),
    retry: useCallback(() => marks.retry(), [marks]),
    enter: useCallback(
      (wanted) => {
        if (wanted === null) name.leave();
        live.enter(wanted);
      },
      [live, name],
    ),
  };
}

/** The one that the server granted, and other tabs have too. */
function useSession(live: LiveClient, name: SessionName): string | null {
  const [session, setSession] = useState(live.state === "open" ? live.session : null);
  useEffect(() => {
    const look = (): void => {
      if (live.session === null) return;
      name.granted(live.session);
      setSession(live.session);
      const rival = name.rival();
      if (rival !== null) live.enter(rival);
    };
    if (live.state === "open") look();
    return live.onSession((frame) => frame === null && look());
  }, [live, name]);
  useEffect(() => {
    // Only other tabs' writes are told of.
    const told = (): void => {
      const rival = name.rival();
      if (rival !== null) live.enter(rival);
    };
    addEventListener("storage", told);
    return () => removeEventListener("storage", told);
  }, [live, name]);
  return session;
}
