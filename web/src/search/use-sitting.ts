/** What is marked and hidden while one looks through a collection, each step to be undone. */

import { useCallback, useMemo, useState } from "preact/hooks";

import type { Hit } from "../client/contract.ts";
import { nameOf } from "../ui/format.ts";
import type { Place } from "./address.ts";
import type { Mark, Marks } from "./marks.ts";
import { groupOf, markOf, NO_MARKS, toggled, toggledGroup } from "./marks.ts";
import type { Travel } from "./use-place.ts";

export interface Sitting {
  marks: Marks;
  /** A step of its own: what it was, in words, and the address before it. */
  note: (said: string) => void;
  mark: (mark: Mark, hit: Hit) => void;
  hideGroup: (hit: Hit, field: string | null) => void;
  refine: () => void;
  undo: () => void;
  /** What undo would take back. */
  last: string | null;
}

interface Step {
  said: string;
  marks: Marks;
  place: Place;
}

const MOST_STEPS = 200;
const SAID: Record<Mark, string> = { good: "marked as good", bad: "marked as bad", hidden: "hidden" };

export function useSitting(collection: string | null, { place, go }: Travel): Sitting {
  const [marks, setMarks] = useKept(collection);
  const [steps, setSteps] = useState<readonly Step[]>([]);
  const note = useCallback(
    (said: string) => setSteps((before) => [...before.slice(1 - MOST_STEPS), { said, marks, place }]),
    [marks, place],
  );
  const mark = (how: Mark, hit: Hit): void => {
    const gone = markOf(marks, hit.id) === how;
    note(`${nameOf(hit.id, hit.payload, hit.source)} ${gone ? "no longer " : ""}${SAID[how]}`);
    setMarks(toggled(marks, how, hit.id));
  };
  const hideGroup = (hit: Hit, field: string | null): void => {
    const group = groupOf(hit, field);
    if (group === null) return;
    note(`${group} ${marks.groups.includes(group) ? "no longer " : ""}hidden`);
    setMarks(toggledGroup(marks, group));
  };
  const refine = (): void => {
    if (marks.good.length + marks.bad.length === 0) return;
    note("refined");
    go({ good: [...place.good, ...marks.good], bad: [...place.bad, ...marks.bad] });
    setMarks({ ...marks, good: [], bad: [] });
  };
  const undo = (): void => {
    const step = steps.at(-1);
    if (step === undefined) return;
    setSteps(steps.slice(0, -1));
    setMarks(step.marks);
    go(step.place);
  };
  return { marks, note, mark, hideGroup, refine, undo, last: steps.at(-1)?.said ?? null };
}

/** Kept as long as the tab, of each collection apart. */
function useKept(collection: string | null): [Marks, (marks: Marks) => void] {
  const name = `clipline.marks.${collection ?? ""}`;
  // Known before the first search of a collection goes out: what is hidden is left out of that one too.
  const before = useMemo(() => read(name), [name]);
  const [kept, setKept] = useState({ name, marks: before });
  const keep = (marks: Marks): void => {
    setKept({ name, marks });
    sessionStorage.setItem(name, JSON.stringify(marks));
  };
  return [kept.name === name ? kept.marks : before, keep];
}

function read(name: string): Marks {
  try {
    return { ...NO_MARKS, ...(JSON.parse(sessionStorage.getItem(name) ?? "{}") as Partial<Marks>) };
  } catch {
    return NO_MARKS;
  }
}
