/** The place in the address bar: typing rewrites one history entry, a settled search makes a new one. */

import { useCallback, useEffect, useRef, useState } from "preact/hooks";

import type { Place } from "./address.ts";
import { readPlace, writePlace } from "./address.ts";

export interface Travel {
  place: Place;
  /** As one types: back leads to what was there before the typing began. */
  drift: (change: Partial<Place>) => void;
  go: (change: Partial<Place>) => void;
  /** The address is completed without a step that could be taken back. */
  complete: (change: Partial<Place>) => void;
  settle: () => void;
}

export function usePlace(): Travel {
  const [place, setPlace] = useState(() => readPlace(location.search));
  const drifting = useRef(false);
  const current = useRef(place);
  const show = useCallback((next: Place) => {
    current.current = next;
    setPlace(next);
  }, []);
  useEffect(() => {
    const step = (): void => {
      drifting.current = false;
      show(readPlace(location.search));
    };
    addEventListener("popstate", step);
    return () => removeEventListener("popstate", step);
  }, [show]);
  const move = useCallback(
    (change: Partial<Place>, { replace }: { replace: boolean }) => {
      const next = { ...current.current, ...change };
      const address = writePlace(next);
      if (address !== writePlace(current.current)) {
        if (replace) history.replaceState(null, "", address);
        else history.pushState(null, "", address);
        // The best of other pictures is at the top; who is at the filters stays there. The browser's way back has a place of its own.
        if (!document.activeElement?.closest(".facets")) scrollTo({ top: 0 });
      }
      show(next);
    },
    [show],
  );
  const drift = useCallback(
    (change: Partial<Place>) => {
      move(change, { replace: drifting.current });
      drifting.current = true;
    },
    [move],
  );
  const go = useCallback(
    (change: Partial<Place>) => {
      move(change, { replace: false });
      drifting.current = false;
    },
    [move],
  );
  const complete = useCallback((change: Partial<Place>) => move(change, { replace: true }), [move]);
  const settle = useCallback(() => void (drifting.current = false), []);
  return { place, drift, go, complete, settle };
}
