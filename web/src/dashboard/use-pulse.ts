/** The page's pulse: one connection while somebody looks. */

import { createContext } from "preact";
import { useContext, useEffect, useMemo, useState } from "preact/hooks";

import type { ConnectionState } from "../client/connection.ts";
import { readKey } from "../ui/key.ts";
import { Pulse } from "./pulse.ts";

export const PulseOf = createContext<Pulse | null>(null);

export function useOwnPulse(): Pulse {
  const pulse = useMemo(() => {
    const url = new URL("v1/ws", location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    url.hash = url.search = "";
    return new Pulse(url.href, readKey);
  }, []);
  useEffect(() => {
    const look = (): void => (document.hidden ? pulse.stop() : pulse.start());
    look();
    document.addEventListener("visibilitychange", look);
    return () => {
      document.removeEventListener("visibilitychange", look);
      pulse.stop();
    };
  }, [pulse]);
  return pulse;
}

export function usePulseState(): ConnectionState {
  const pulse = useContext(PulseOf);
  const [state, setState] = useState<ConnectionState>(pulse?.state ?? "closed");
  useEffect(() => pulse?.onState(setState), [pulse]);
  return state;
}
