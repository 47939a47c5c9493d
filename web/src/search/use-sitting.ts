/** What is marked, hidden and looked for while one looks through a collection, each step to be undone. */

import type { Dispatch, StateUpdater } from "preact/hooks";
import { useCallback, useEffect, useState } from "preact/hooks";

import type { Hit } from "../client/contract.ts";
import { nameOf, plural } from "../ui/format.ts";
import type { Place } from "./address.ts";
import type { Change, SetName } from "./held.ts";
import type { Mark, Pictured } from "./marks.ts";
import { groupOf, idsIn, markOf, sawAll, toggled, toggledGroup } from "./marks.ts";
import type { Keeping } from "./use-kept.ts";
import type { Travel } from "./use-place.ts";

export interface Sitting {
  kept: Keeping;
  /** A step of its own: what it was, in words, and the address before it. */
  note: (said: string) => void;
  mark: (mark: Mark, hit: Pictured) => void;
  hideGroup: (hit: Pictured, field: string | null) => void;
  /** What is shown has been looked at. */
  saw: (hits: readonly Hit[]) => void;
  forget: (what: Forgotten) => void;
  refine: () => void;
  /** Whether refining would ask something else. */
  refines: boolean;
  undo: () => void;
  redo: () => void;
  /** What was done last. */
  last: string | null;
}

/** A change of marks is the server's to take back; of any other step the page knows the address before it. */
interface Step {
  said: string;
  place: Place | null;
}

/** What can be let go of at once. */
export type Forgotten = "examples" | "hidden" | "seen";

const FORGETTING: Record<Forgotten, readonly [readonly SetName[], string]> = {
  examples: [["positive", "negative"], "examples forgotten"],
  hidden: [["exclude", "exclude_groups"], "hidden ones are back"],
  seen: [["seen"], "seen ones are back"],
};
const MOST_STEPS = 200;
const SAID: Record<Mark, string> = { good: "marked as good", bad: "marked as bad", hidden: "hidden" };

export function useSitting(kept: Keeping, { place, go }: Travel): Sitting {
  const { held, ended } = kept;
  const { steps, setSteps, undone, setUndone, last, setLast, add } = useSteps(ended);
  const note = useCallback((said: string) => add(said, place), [add, place]);
  const change = (what: Change, said: string): void => {
    if (Object.keys(what).length === 0) return;
    kept.mark(what);
    add(said, null);
  };
  const mark = (how: Mark, hit: Pictured): void => {
    const gone = markOf(held, hit.id)?.mark === how;
    change(toggled(held, how, hit.id), `${nameOf(hit.id, hit.payload, hit.source)} ${gone ? "no longer " : ""}${SAID[how]}`);
  };
  const hideGroup = (hit: Pictured, field: string | null): void => {
    const group = groupOf(hit, field);
    if (group === null) return;
    change(toggledGroup(held, group), `${group} ${held.exclude_groups.has(group) ? "no longer " : ""}hidden`);
  };
  const saw = (hits: readonly Hit[]): void => {
    const what = sawAll(held, hits.map(({ id }) => id));
    change(what, `${plural(what.seen?.add?.length ?? 0, "picture")} seen: later searches leave them out`);
  };
  const forget = (what: Forgotten): void => {
    const [clear, words] = FORGETTING[what];
    if (clear.some((set) => held[set].size > 0)) change({ clear: [...clear] }, words);
  };
  const refined = { good: joined(place.good, idsIn(held, "positive")), bad: joined(place.bad, idsIn(held, "negative")) };
  const refines = refined.good.length + refined.bad.length > place.good.length + place.bad.length;
  const refine = (): void => {
    if (!refines) return;
    note("refined");
    go(refined);
  };
  const walk = (from: readonly Step[], way: "undo" | "redo"): void => {
    const step = from.at(-1) ?? { said: "a change", place: null };
    const other = { ...step, place: step.place === null ? null : place };
    (way === "undo" ? setSteps : setUndone)(from.slice(0, -1));
    (way === "undo" ? setUndone : setSteps)((some) => [...some, other]);
    setLast(`${way === "undo" ? "undone" : "done again"}: ${step.said}`);
    if (step.place !== null) return go(step.place);
    void kept.step(way).then((problem) => {
      if (problem === null) return;
      (way === "undo" ? setUndone : setSteps)((some) => some.filter((one) => one !== other));
      setLast(nothingTo(way, problem.type, problem.title));
    });
  };
  const undo = (): void => walk(steps, "undo");
  const redo = (): void => walk(undone, "redo");
  return { kept, note, mark, hideGroup, saw, forget, refine, refines, undo, redo, last };
}

interface Steps {
  steps: readonly Step[];
  setSteps: StateUpdate<readonly Step[]>;
  undone: readonly Step[];
  setUndone: StateUpdate<readonly Step[]>;
  last: string | null;
  setLast: StateUpdate<string | null>;
  add: (said: string, before: Place | null) => void;
}

type StateUpdate<T> = Dispatch<StateUpdater<T>>;

/** Those of a session that is over cannot be taken back. */
function useSteps(ended: number): Steps {
  const [steps, setSteps] = useState<readonly Step[]>([]);
  const [undone, setUndone] = useState<readonly Step[]>([]);
  const [last, setLast] = useState<string | null>(null);
  useEffect(() => {
    if (ended === 0) return;
    setSteps([]);
    setUndone([]);
    setLast("The sitting was over: a new one has begun, without its marks.");
  }, [ended]);
  const add = useCallback((said: string, before: Place | null) => {
    setSteps((some) => [...some.slice(1 - MOST_STEPS), { said, place: before }]);
    setUndone([]);
    setLast(said);
  }, []);
  return { steps, setSteps, undone, setUndone, last, setLast, add };
}

function nothingTo(way: "undo" | "redo", type: string, title: string): string {
  return type.endsWith("nothing-to-undo") ? `There is nothing to ${way}.` : title;
}

const joined = (one: readonly number[], other: readonly number[]): number[] => [...new Set([...one, ...other])];
