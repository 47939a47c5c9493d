/** Nothing found: why that may be, and each way out as one click. */

import type { VNode } from "preact";
import { useEffect, useRef } from "preact/hooks";

import type { Collection } from "../client/contract.ts";
import { plural } from "../ui/format.ts";
import { Notice } from "../ui/notice.tsx";
import type { Finder, Findings } from "./finder.ts";
import type { Sitting } from "./use-sitting.ts";

export interface NothingProps {
  findings: Findings;
  facts: Collection | null;
  sitting: Sitting;
  filters: number;
  onNoFilters: () => void;
}

export function Nothing({ findings, facts, sitting, filters, onNoFilters }: NothingProps): VNode {
  const { exclude, exclude_groups: groups, seen } = sitting.kept.held;
  const hidden = exclude.size + groups.size;
  const isLeftOut = filters + hidden + seen.size > 0;
  return (
    <Notice icon="empty" title={isLeftOut ? "Nothing is left" : "Nothing found"} testid="nothing">
      <p>{isLeftOut ? "All that there is was filtered out, hidden or seen." : reasonOf(findings, facts)}</p>
      {filters > 0 && (
        <button type="button" onClick={onNoFilters} data-testid="without-filters">
          Without filters
        </button>
      )}
      {hidden > 0 && (
        <button type="button" onClick={() => sitting.forget("hidden")} data-testid="with-hidden">
          Bring back what is hidden ({hidden})
        </button>
      )}
      {seen.size > 0 && (
        <button type="button" onClick={() => sitting.forget("seen")} data-testid="with-seen">
          Bring back {plural(seen.size, "seen one")}
        </button>
      )}
    </Notice>
  );
}

function reasonOf({ request }: Findings, facts: Collection | null): string {
  if (facts?.count === 0) return "This collection has no pictures yet.";
  if (request?.then !== undefined) return "Nothing here comes in that order, so soon after one another. Fewer steps, or more time between them, may lead somewhere.";
  return "This collection has no picture to show for that. Other words, or fewer, may lead somewhere.";
}

/** Where nothing stands that could jump, what comes back is looked for at once; the server must know of it first. */
export function useComeBack(finder: Finder, { phase, hits }: Findings, { kept: { held, waits } }: Sitting): void {
  const leftOut = held.exclude.size + held.exclude_groups.size + held.seen.size;
  const before = useRef(leftOut);
  useEffect(() => {
    if (waits) return;
    const less = leftOut < before.current;
    before.current = leftOut;
    if (less && phase === "done" && hits.length === 0) void finder.retry();
    // Only what is left out is looked at here.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [leftOut, waits]);
}
