/** What can be done with many jobs at once: with those that are chosen, or with all that match. */

import type { VNode } from "preact";

import type { JobState } from "../client/contract.ts";
import type { SweepVerb } from "../client/http.ts";
import { count, plural } from "../ui/format.ts";
import type { Where } from "./operators.ts";
import { http, sweepAll, sweepOf } from "./operators.ts";
import { useActions } from "./use-action.tsx";
import { ALL } from "./view.ts";

interface Verb {
  verb: SweepVerb;
  label: string;
  /** "Run 3 jobs again?" */
  title: (what: string) => string;
  /** "3 jobs …" */
  done: string;
  text: string;
  danger: boolean;
  takes: ReadonlySet<JobState>;
}

const ENDED: readonly JobState[] = ["failed", "cancelled", "superseded", "expired", "dead"];

const VERBS: readonly Verb[] = [
  {
    verb: "replay",
    label: "Run again",
    title: (what) => `Run ${what} again?`,
    done: "queued again",
    text: "They go to the end of their queue, under their own ids.",
    danger: false,
    takes: new Set(ENDED),
  },
  {
    verb: "cancel",
    label: "Cancel",
    title: (what) => `Cancel ${what}?`,
    done: "cancelled",
    text: "Those that wait are taken back; those that run are stopped by their workers.",
    danger: true,
    takes: new Set<JobState>(["queued", "running"]),
  },
  {
    verb: "purge",
    label: "Forget",
    title: (what) => `Forget ${what}?`,
    done: "forgotten",
    text: "Their records, requests and results are deleted. This cannot be undone.",
    danger: true,
    takes: new Set<JobState>([...ENDED, "succeeded"]),
  },
];

export interface Chosen {
  state: JobState;
  tenant: string;
}

export interface BulkProps {
  where: Where;
  /** The chosen jobs by id. */
  chosen: ReadonlyMap<string, Chosen>;
  /** Whether no job matches. */
  empty: boolean;
  onDone: () => void;
}

export function Bulk({ where, chosen, empty, onDone }: BulkProps): VNode | null {
  const { may } = useActions();
  if (!may) return null;
  const some = chosen.size > 0;
  // All that match have one state and one tenant: a sweep is of one.
  const all = where.state === "" || where.tenant === ALL ? [] : [where.state];
  const states = some ? [...chosen.values()].map(({ state }) => state) : all;
  const verbs = states.length === 0 ? [] : VERBS.filter(({ takes }) => states.some((state) => takes.has(state)));
  return (
    <div class="bulk" role="group" aria-label="Actions" data-testid="bulk">
      {verbs.length > 0 && <span class="soft">{some ? `${count(chosen.size)} chosen:` : "All that match:"}</span>}
      {verbs.map((verb) => (
        <Act key={verb.verb} verb={verb} where={where} chosen={some ? chosen : null} disabled={!some && empty} onDone={onDone} />
      ))}
    </div>
  );
}

interface ActProps {
  verb: Verb;
  where: Where;
  /** Null: all that match. */
  chosen: BulkProps["chosen"] | null;
  disabled: boolean;
  onDone: () => void;
}

function Act({ verb, where, chosen, disabled, onDone }: ActProps): VNode {
  const { ask } = useActions();
  const what = chosen === null ? `all ${where.state} jobs that match` : plural(chosen.size, "job");
  const act = async (told: (progress: string) => void): Promise<string> => {
    const done =
      chosen === null
        ? await sweepAll(verb.verb, sweepOf(where), (so) => told(`${count(so)} so far…`))
        : await sweepChosen(verb.verb, chosen);
    onDone();
    return `${plural(done, "job")} ${verb.done}`;
  };
  return (
    <button
      type="button"
      disabled={disabled}
      onClick={() => ask({ title: verb.title(what), text: verb.text, verb: verb.label, danger: verb.danger, act })}
      data-testid={`bulk-${verb.verb}`}
    >
      {verb.label}
    </button>
  );
}

/** One sweep for each tenant, since an action is one tenant's; returns how many jobs were changed. */
async function sweepChosen(verb: SweepVerb, chosen: BulkProps["chosen"]): Promise<number> {
  const ids = new Map<string, string[]>();
  for (const [id, { tenant }] of chosen) ids.set(tenant, [...(ids.get(tenant) ?? []), id]);
  let done = 0;
  for (const [tenant, its] of ids) done += (await http.sweep(verb, { ids: its, tenant })).done;
  return done;
}
