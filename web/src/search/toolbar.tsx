/** What can be done with the results as a whole; always there, so that nothing moves when it becomes of use. */

import type { VNode } from "preact";

import { plural } from "../ui/format.ts";
import type { Marks } from "./marks.ts";

export interface ToolbarProps {
  marks: Marks;
  last: string | null;
  filtering: boolean;
  filters: number;
  grouped: boolean;
  /** Null where the collection has no groups. */
  groupField: string | null;
  onFilter: () => void;
  onGroups: () => void;
  onRefine: () => void;
  onUndo: () => void;
}

export function Toolbar(props: ToolbarProps): VNode {
  const { marks, last, filtering, filters, grouped, groupField } = props;
  const marked = marks.good.length + marks.bad.length;
  return (
    <div class="toolbar" role="toolbar" aria-label="This search" data-testid="toolbar">
      <button type="button" aria-expanded={filtering} onClick={props.onFilter} title="f" data-testid="filters">
        Filters{filters > 0 && ` (${filters})`}
      </button>
      {groupField !== null && (
        <button type="button" aria-pressed={grouped} onClick={props.onGroups} title="One picture of each group: o" data-testid="groups">
          By {groupField}
        </button>
      )}
      <button type="button" disabled={marked === 0} onClick={props.onRefine} title="Search again with what is marked: r" data-testid="refine">
        Refine: {marks.good.length} good, {marks.bad.length} bad
      </button>
      <button type="button" disabled={last === null} onClick={props.onUndo} title={`Undo${last === null ? "" : `: ${last}`} (u)`} data-testid="undo">
        Undo
      </button>
      <span class="soft toolbar-note" role="status" data-testid="last-step">
        {last ?? hiddenIn(marks)}
      </span>
    </div>
  );
}

function hiddenIn({ hidden, groups }: Marks): string {
  const some = hidden.length + groups.length;
  return some === 0 ? "" : `${plural(some, "hidden one")} left out`;
}

const KEYS: readonly (readonly [string, string])[] = [
  ["/", "words"],
  ["← ↑ → ↓", "move"],
  ["g", "good"],
  ["b", "bad"],
  ["x", "hide"],
  ["v", "hide group"],
  ["s", "similar"],
  ["r", "refine"],
  ["n", "more"],
  ["u", "undo"],
  ["f", "filters"],
];

export function Keys(): VNode {
  return (
    <p class="keys" data-testid="keys">
      {KEYS.map(([key, what]) => (
        <span key={key}>
          <kbd>{key}</kbd> {what}
        </span>
      ))}
    </p>
  );
}
