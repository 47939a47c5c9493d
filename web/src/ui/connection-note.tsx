/** Says when answers cannot come: no network, or a connection that is being made again. */

import type { VNode } from "preact";
import { useEffect, useState } from "preact/hooks";

import type { LiveClient } from "../client/live.ts";
import type { ConnectionState } from "../client/connection.ts";
import { Icon } from "./icons.tsx";

export function ConnectionNote({ live }: { live: LiveClient }): VNode {
  const state = useConnectionState(live);
  const online = useOnline(live);
  const text = online ? TEXTS[state] : "You are offline. Searches wait until the network is back.";
  return (
    <div class="connection" role="status" data-testid="connection" data-state={online ? state : "offline"}>
      {text !== "" && (
        <p>
          <Icon name="plug" />
          {text}
          {online && (state === "reconnecting" || state === "closed") && (
            <button type="button" class="link" onClick={() => live.connect()}>
              Try now
            </button>
          )}
        </p>
      )}
    </div>
  );
}

const TEXTS: Record<ConnectionState, string> = {
  open: "",
  connecting: "",
  reconnecting: "The connection was lost. Reconnecting…",
  closed: "Not connected.",
};

function useConnectionState(live: LiveClient): ConnectionState {
  const [state, setState] = useState(live.state);
  useEffect(() => {
    setState(live.state);
    return live.onState(setState);
  }, [live]);
  return state;
}

/** When the network comes back there is no reason to wait out a backoff. */
function useOnline(live: LiveClient): boolean {
  const [online, setOnline] = useState(navigator.onLine);
  useEffect(() => {
    const change = (): void => {
      setOnline(navigator.onLine);
      if (navigator.onLine && live.state === "reconnecting") live.connect();
    };
    addEventListener("online", change);
    addEventListener("offline", change);
    return () => {
      removeEventListener("online", change);
      removeEventListener("offline", change);
    };
  }, [live]);
  return online;
}
