/** The page's websocket. */

import { useEffect, useMemo } from "preact/hooks";

import { LiveClient } from "../client/live.ts";
import type { Access } from "../ui/access.ts";
import { readKey } from "../ui/key.ts";
import { readSession } from "./session-name.ts";

/** One connection for as long as one key holds. */
export function useLive({ round, denied }: Access): LiveClient {
  const url = new URL("v1/ws", location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.hash = url.search = "";
  // A new round is a new key: whatever was open belongs to the old one.
  // eslint-disable-next-line react-hooks/exhaustive-deps
  const live = useMemo(() => new LiveClient({ url: url.href, key: readKey, session: readSession() }), [round]);
  useEffect(() => {
    const stop = live.onDenied(denied);
    live.connect();
    return () => {
      stop();
      live.close();
    };
  }, [live, denied]);
  return live;
}
