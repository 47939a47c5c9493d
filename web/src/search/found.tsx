/** The results of a search, and what can be said of them. */

import type { VNode } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

import type { Collection } from "../client/contract.ts";
import { said } from "./address.ts";
import { RangeChips } from "./chips.tsx";
import { filtersIn, UNFILTERED } from "./conditions.ts";
import { Facets } from "./facets.tsx";
import type { Finder, Findings } from "./finder.ts";
import type { Marked } from "./grid.tsx";
import { enterGrid, leadTo, useOnwards } from "./grid-focus.ts";
import type { Pictured, Where } from "./marks.ts";
import { groupOf, markOf, toggledValue } from "./marks.ts";
import { Nothing, useComeBack } from "./nothing.tsx";
import type { Range } from "./ranges.ts";
import { withRange, wordsOfRange } from "./ranges.ts";
import { Results } from "./results.tsx";
import { otherIn } from "./team.tsx";
import { Toolbar } from "./toolbar.tsx";
import { useKeys } from "./use-keys.ts";
import type { Travel } from "./use-place.ts";
import type { Sitting } from "./use-sitting.ts";
import { Viewer } from "./viewer.tsx";

export interface FoundProps {
  state: {
    finder: Finder;
    findings: Findings;
    sitting: Sitting;
    /** What is known of the collection. */
    facts: Collection | null;
    travel: Travel;
  };
  /** What can be done in the sitting as a whole, beside what can be done here. */
  bar: VNode;
  onSimilar: (hit: Pictured) => void;
  onAbove: () => void;
}

export function Found({ state, bar, onSimilar, onAbove }: FoundProps): VNode {
  const { finder, findings, sitting, facts, travel } = state;
  const { place, go } = travel;
  const [opened, setOpened] = useState<number | null>(null);
  const [filtering, setFiltering] = useState(filtersIn(place) > 0);
  const [byKey, setByKey] = useState(false);
  useClosed(opened);
  // Others are coming in the place of those among which it was opened, as on the way back.
  useEffect(() => setOpened(null), [findings.request]);
  const field = facts?.group_field ?? null;
  const marked = useMarked(sitting, field, (hit) => {
    setOpened(null);
    onSimilar(hit);
  });
  const filter = (pressed: boolean): void => {
    setByKey(pressed && !filtering);
    setFiltering(!filtering);
    // The focus would go with them.
    if (pressed && filtering && document.activeElement?.closest(".facets")) enterGrid();
  };
  const onFilter = (): void => filter(false);
  const noFilters = (): void => {
    sitting.note("filters taken away");
    go(UNFILTERED);
  };
  const onRange = (name: string, range: Range | null): void => {
    sitting.note(range === null ? `no longer filtered by a range of ${name}` : `filtered by ${wordsOfRange(name, range)}`);
    go({ ranges: withRange(place.ranges, name, range) });
  };
  const onGroups = (): void => (field === null ? undefined : go({ grouped: !place.grouped }));
  const more = useOnwards(findings.hits.length, () => void finder.more());
  const onSaw = (): void => sitting.saw(findings.hits);
  useKeys({ n: more, r: sitting.refine, e: onSaw, f: () => filter(true), o: onGroups, ArrowDown: enterGrid });
  useComeBack(finder, findings, sitting);
  const nothing = <Nothing findings={findings} facts={facts} sitting={sitting} filters={filtersIn(place)} onNoFilters={noFilters} />;
  return (
    <>
      <div class="controls" data-testid="controls">
        <Toolbar
          sitting={sitting}
          filtering={filtering}
          filters={filtersIn(place)}
          grouped={place.grouped}
          inSequences={said(place.then).length > 0}
          groupField={field}
          onFilter={onFilter}
          onGroups={onGroups}
          onSaw={onSaw}
        />
        {bar}
      </div>
      {filtering && facts !== null && <Filtering facts={facts} travel={travel} onRange={onRange} sitting={sitting} byKey={byKey} onNone={noFilters} />}
      <RangeChips ranges={place.ranges} onRemove={(name) => onRange(name, null)} />
      <Results findings={findings} marked={marked} onOpen={setOpened} onAbove={onAbove} onMore={more} onRetry={() => void finder.retry()} nothing={nothing} />
      <Opened findings={findings} opened={opened} grouped={field !== null} marked={marked} onOpen={setOpened} onMore={() => void finder.more()} />
    </>
  );
}

function useMarked({ kept: { held, view }, mark, hideGroup, undo, redo }: Sitting, field: string | null, similar: (hit: Pictured) => void): Marked {
  return {
    grouped: field !== null,
    of: (hit) => markOf(held, hit.id, groupOf(hit, field)),
    withGroup: (hit) => held.exclude_groups.has(groupOf(hit, field) ?? ""),
    seen: (hit) => held.seen.has(hit.id),
    by: ({ by }) => otherIn(view, by),
    mark,
    hideGroup: (hit) => hideGroup(hit, field),
    similar,
    undo,
    redo,
  };
}

interface FilteringProps {
  facts: Collection;
  travel: Travel;
  sitting: Sitting;
  byKey: boolean;
  onRange: (field: string, range: Range | null) => void;
  onNone: () => void;
}

function Filtering({ facts, travel: { place, go }, sitting, byKey, onRange, onNone }: FilteringProps): VNode {
  const filter = (where: Where, words: string): void => {
    sitting.note(words);
    go({ where });
  };
  return (
    <Facets
      key={facts.name}
      collection={facts}
      filtered={place}
      focused={byKey}
      onValue={(name, value) => filter(toggledValue(place.where, name, value), `filtered by ${name}`)}
      onRange={onRange}
      onNone={onNone}
    />
  );
}

interface OpenedProps {
  findings: Findings;
  opened: number | null;
  grouped: boolean;
  marked: Marked;
  onOpen: (index: number | null) => void;
  onMore: () => void;
}

function Opened({ findings, opened, grouped, marked, onOpen, onMore }: OpenedProps): VNode | null {
  const { hits, request } = findings;
  const onNext = useNext(findings, opened, onOpen, onMore);
  const hit = opened === null ? undefined : hits[opened];
  if (hit === undefined || opened === null || request === null) return null;
  return (
    <Viewer
      collection={request.collection}
      hit={hit}
      grouped={grouped}
      marked={marked}
      onPrevious={opened > 0 ? () => onOpen(opened - 1) : undefined}
      onNext={onNext}
      onClose={() => onOpen(null)}
    />
  );
}

/** Whoever leafed through opened pictures goes on in the grid where the last one stands. */
function useClosed(opened: number | null): void {
  const last = useRef<number | null>(null);
  useEffect(() => {
    if (opened === null && last.current !== null) leadTo(last.current);
    last.current = opened;
  }, [opened]);
}

/** Past the last hit come further ones, as in the grid; undefined where there are none. */
function useNext({ hits, exhausted }: Findings, opened: number | null, onOpen: (index: number) => void, onMore: () => void): (() => void) | undefined {
  const waits = useRef(false);
  // Whoever goes elsewhere meanwhile stays there.
  useEffect(() => void (waits.current = false), [opened]);
  useEffect(() => {
    if (waits.current && opened !== null && hits[opened + 1]) onOpen(opened + 1);
  }, [hits, opened, onOpen]);
  if (opened === null) return undefined;
  if (hits[opened + 1]) return () => onOpen(opened + 1);
  if (exhausted) return undefined;
  return () => {
    waits.current = true;
    onMore();
  };
}
