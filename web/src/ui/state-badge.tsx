/** A job's or worker's state in a word and a colour; the word alone says it all. */

import type { VNode } from "preact";

const TONES: Readonly<Record<string, string>> = {
  queued: "soft",
  running: "accent",
  succeeded: "good",
  ready: "good",
  failed: "bad",
  dead: "bad",
  expired: "warn",
  paused: "warn",
  draining: "warn",
};

export function StateBadge({ state }: { state: string }): VNode {
  return (
    <span class={`badge badge-${TONES[state] ?? "soft"}`} data-testid="state">
      {state}
    </span>
  );
}
