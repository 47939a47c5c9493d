/** What a search came to: the grid, or the reason why there is none. */

import type { VNode } from "preact";

import { count, duration, plural, stages } from "../ui/format.ts";
import { Failure } from "../ui/notice.tsx";
import type { Problem } from "../client/contract.ts";
import type { Findings, Phase } from "./finder.ts";
import { MAX_SHOWN, PAGE } from "./finder.ts";
import type { Marked } from "./grid.tsx";
import { Grid } from "./grid.tsx";

export interface ResultsProps {
  findings: Findings;
  marked: Marked;
  onOpen: (index: number) => void;
  onAbove: () => void;
  onMore: () => void;
  onRetry: () => void;
  /** What stands where nothing was found. */
  nothing: VNode;
}

export function Results({ findings, marked, onOpen, onAbove, onMore, onRetry, nothing }: ResultsProps): VNode {
  const { phase, hits, sequences, request, problem } = findings;
  return (
    <section class="results" aria-label="Results" aria-busy={phase === "loading" || phase === "more"}>
      <StatusLine findings={findings} />
      {hits.length > 0 && request !== null && (
        <Grid
          collection={request.collection}
          hits={hits}
          line={findings.line}
          sequences={sequences}
          stale={phase === "loading"}
          marked={marked}
          onOpen={onOpen}
          onAbove={onAbove}
          onMore={onMore}
        />
      )}
      {hits.length === 0 && <InPlaceOfHits phase={phase}>{nothing}</InPlaceOfHits>}
      {phase === "failed" && problem !== null && <Failure problem={problem} onRetry={isHopeless(problem) ? undefined : onRetry} />}
      <End findings={findings} onMore={onMore} />
    </section>
  );
}

/** What is asked is wrong itself, as a file that is no picture: the same would be answered again. */
const isHopeless = ({ status, retryable }: Problem): boolean => status === 422 && retryable === false;

function InPlaceOfHits({ phase, children }: { phase: Phase; children: VNode }): VNode | null {
  if (phase === "loading") return <Skeleton />;
  return phase === "done" ? children : null;
}

/** Read aloud as it changes; the stages are for the curious eye alone. */
function StatusLine({ findings }: { findings: Findings }): VNode {
  const { phase, took, truncated } = findings;
  return (
    <div class="status-line">
      <p role="status" data-testid="status">
        {summary(findings)}
        {truncated && phase === "done" && " · the text was longer than the model reads, its end was left out"}
      </p>
      {took !== null && phase !== "loading" && (
        <p class="took" title={stages(took)} data-testid="took">
          <span class="wide-only">{stages(took)}</span>
          <span class="narrow-only">{duration(took.total_ms)}</span>
        </p>
      )}
    </div>
  );
}

function summary(findings: Findings): string {
  const { phase, hits, exhausted } = findings;
  const found = countOf(findings);
  if (phase === "loading") return "Searching…";
  if (phase === "more") return `${found}, looking for more…`;
  if (phase === "failed") return hits.length > 0 ? found : "";
  if (hits.length === 0) return "Nothing found";
  if (!exhausted) return `The nearest ${found}`;
  return shownIn(findings) === 1 ? `Only ${found}` : `All ${found}`;
}

const shownIn = ({ hits, sequences }: Findings): number => sequences.length || hits.length;

function countOf(findings: Findings): string {
  const { request, sequences } = findings;
  if (sequences.length > 0) return plural(sequences.length, "sequence");
  const field = request?.group_by;
  return `${plural(shownIn(findings), "picture")}${field === undefined ? "" : `, one of each ${field}`}`;
}

function Skeleton(): VNode {
  return (
    <ul class="grid skeleton" aria-hidden="true" data-testid="loading">
      {Array.from({ length: PAGE / 2 }, (_, index) => (
        <li key={index} class="tile" />
      ))}
    </ul>
  );
}

function End({ findings, onMore }: { findings: Findings; onMore: () => void }): VNode | null {
  const { phase, exhausted, hits } = findings;
  if (phase === "failed" || phase === "loading" || hits.length === 0) return null;
  if (exhausted) return <p class="end" data-testid="exhausted">That is all.</p>;
  if (hits.length >= MAX_SHOWN) {
    return <p class="end">These are the nearest {count(MAX_SHOWN)}. For others, ask for something narrower.</p>;
  }
  return (
    <p class="end">
      <button type="button" onClick={onMore} aria-disabled={phase === "more"} data-testid="more">
        {phase === "more" ? "Looking…" : "Show more"}
      </button>
    </p>
  );
}
