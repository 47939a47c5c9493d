/** Stands where data is not there yet, or could not be had. */

import type { VNode } from "preact";

import { Failure } from "../ui/notice.tsx";
import type { Polled } from "./use-polled.ts";

export function Status({ polled: { data, problem, refresh } }: { polled: Polled<unknown> }): VNode | null {
  if (problem !== null) return <Failure problem={problem} onRetry={refresh} />;
  return data === null ? <p class="soft">Loading…</p> : null;
}
