/** One thing after another in a video: its steps in time, and how far they are apart. */

import type { VNode } from "preact";

import type { Group, Hit } from "../client/contract.ts";
import { age, score } from "../ui/format.ts";
import { momentOf } from "./moment.ts";

export interface SequenceProps {
  sequence: Group;
  tile: (hit: Hit) => VNode;
}

export function Sequence({ sequence: { group, hits, score: total }, tile }: SequenceProps): VNode {
  const name = String(group);
  return (
    <li class="sequence" data-steps={hits.length} data-testid="sequence">
      <p class="sequence-head">
        <span class="sequence-name" title={name}>
          {name.split("/").at(-1)}
        </span>
        <span class="soft">
          {apart(hits)}
          {total !== undefined && ` · ${score(total)}`}
        </span>
      </p>
      <ul class="sequence-steps" role="list" aria-label={name}>
        {hits.map(tile)}
      </ul>
    </li>
  );
}

/** From the end of the first to the beginning of the last. */
function apart(hits: readonly Hit[]): string {
  const [first, last] = [momentOf(hits[0]?.payload), momentOf(hits.at(-1)?.payload)];
  if (first === null || last === null) return "";
  const gapS = last.startS - first.endS;
  return gapS <= 0 ? "at once" : `${age(gapS)} later`;
}
