/** What can be done with the results as a whole; always there, so that nothing moves when it becomes of use. */

import type { VNode } from "preact";

import { plural } from "../ui/format.ts";
import type { Held } from "./held.ts";
import type { Sitting } from "./use-sitting.ts";

export interface ToolbarProps {
  sitting: Sitting;
  filtering: boolean;
  filters: number;
  grouped: boolean;
  /** They are of groups already, one of each. */
  inSequences: boolean;
  /** Null where the collection has no groups. */
  groupField: string | null;
  onFilter: () => void;
  onGroups: () => void;
  onSaw: () => void;
}

export function Toolbar(props: ToolbarProps): VNode {
  const { sitting, filtering, filters, grouped, groupField } = props;
  const { held } = sitting.kept;
  return (
    <div class="toolbar" role="toolbar" aria-label="This search" data-testid="toolbar">
      <button type="button" aria-expanded={filtering} onClick={props.onFilter} title="Filters, with counts: f" data-testid="filters">
        Filters{filters > 0 && ` (${filters})`}
      </button>
      {groupField !== null && (
        <button type="button" class="folds" aria-pressed={grouped} disabled={props.inSequences} onClick={props.onGroups} title="One picture of each group: o" data-testid="groups">
          By {groupField}
        </button>
      )}
      <button type="button" disabled={!sitting.refines} onClick={sitting.refine} title="Search again with what is marked: r" data-testid="refine">
        <span class="wide-only">{`Refine: ${held.positive.size} good, ${held.negative.size} bad`}</span>
        <span class="narrow-only">{`Refine +${held.positive.size} −${held.negative.size}`}</span>
      </button>
      <button type="button" onClick={props.onSaw} title="All that is shown has been seen, later searches leave it out: e" data-testid="saw">
        <span class="wide-only">Mark as seen</span>
        <span class="narrow-only">Seen</span>
      </button>
      <Note sitting={sitting} />
    </div>
  );
}

/** What happened last, or why marks are not kept. */
function Note({ sitting: { kept, last } }: { sitting: Sitting }): VNode {
  if (kept.problem !== null) {
    return (
      <span class="toolbar-note bad" role="alert" data-testid="not-kept">
        Marks stay in this tab: {kept.problem.title}.{" "}
        <button type="button" class="link" onClick={kept.retry}>
          Try again
        </button>
      </span>
    );
  }
  return (
    <span class="soft toolbar-note" role="status" data-testid="last-step">
      {last ?? leftOut(kept.held)}
    </span>
  );
}

function leftOut({ exclude, exclude_groups: groups, seen }: Held): string {
  const hidden = exclude.size + groups.size;
  const parts = [hidden > 0 && plural(hidden, "hidden one"), seen.size > 0 && plural(seen.size, "seen one")];
  const told = parts.filter((part) => part !== false).join(" and ");
  return told === "" ? "" : `${told} left out`;
}
