/** The results of a search, and what can be said of them. */

import type { VNode } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

import type { Collection } from "../client/contract.ts";
import { said } from "./address.ts";
import { areaFields, pointsOf } from "./areas.ts";
import { NarrowingChips } from "./chips.tsx";
import { filtersIn } from "./conditions.ts";
import { Facets } from "./facets.tsx";
import type { Finder, Findings } from "./finder.ts";
import type { Marked } from "./grid.tsx";
import { enterGrid, leadTo, useOnwards } from "./grid-focus.ts";
import type { Pictured } from "./marks.ts";
import { groupOf, markOf } from "./marks.ts";
import { nearOf } from "./near.ts";
import { Nothing, useComeBack } from "./nothing.tsx";
import { usePlotted } from "./on-plot.ts";
import { Results } from "./results.tsx";
import { otherIn } from "./team.tsx";
import { Toolbar } from "./toolbar.tsx";
import type { Filters, Showing } from "./use-filtering.ts";
import { filtersOf, useShowing } from "./use-filtering.ts";
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
  const showing = useShowing(travel, facts);
  const filters = filtersOf(travel, sitting);
  useClosed(opened);
  // Others are coming in the place of those among which it was opened, as on the way back.
  useEffect(() => setOpened(null), [findings.request]);
  const field = facts?.group_field ?? null;
  const similar = (hit: Pictured): void => {
    setOpened(null);
    onSimilar(hit);
  };
  const marked = useMarked(sitting, field, { similar, ...nearby(state, filters) });
  const onGroups = (): void => (field === null ? undefined : go({ grouped: !place.grouped }));
  const more = useOnwards(findings.hits.length, () => void finder.more());
  const onSaw = (): void => sitting.saw(findings.hits);
  useKeys({ n: more, r: sitting.refine, e: onSaw, f: showing.pressFilter, m: showing.pressMap, o: onGroups, ArrowDown: enterGrid });
  useComeBack(finder, findings, sitting);
  const nothing = <Nothing findings={findings} facts={facts} sitting={sitting} filters={filtersIn(place)} onNoFilters={filters.onNone} />;
  return (
    <>
      <div class="controls" data-testid="controls">
        <Toolbar
          sitting={sitting}
          filtering={showing.shown.open}
          filters={filtersIn(place)}
          grouped={place.grouped}
          inSequences={said(place.then).length > 0}
          groupField={field}
          onFilter={showing.onFilter}
          onGroups={onGroups}
          onSaw={onSaw}
        />
        {bar}
      </div>
      {showing.shown.open && facts !== null && <Filtering facts={facts} findings={findings} travel={travel} showing={showing} filters={filters} />}
      <NarrowingChips filtered={place} onRange={filters.onRange} onArea={filters.onArea} />
      <Results findings={findings} marked={marked} onOpen={setOpened} onAbove={onAbove} onMore={more} onRetry={() => void finder.retry()} nothing={nothing} />
      <Opened findings={findings} opened={opened} grouped={field !== null} marked={marked} onOpen={setOpened} onMore={() => void finder.more()} />
    </>
  );
}

/** Around where a picture was, as wide as some of those shown lie, or as the circle that is there. */
function nearby({ facts, findings, travel }: FoundProps["state"], { onArea }: Filters): Pick<Marked, "placed" | "near"> {
  const fields = facts?.payload ?? {};
  const places = areaFields(fields);
  return {
    placed: ({ payload }) => places.some((field) => pointsOf(payload, field).length > 0),
    near: ({ payload }) => {
      const near = nearOf(payload, { fields, areas: travel.place.areas, shown: findings.hits.map((hit) => hit.payload) });
      if (near !== null) onArea(near.field, near.circle);
    },
  };
}

function useMarked({ kept: { held, view }, mark, hideGroup, undo, redo }: Sitting, field: string | null, asking: Pick<Marked, "similar" | "placed" | "near">): Marked {
  return {
    grouped: field !== null,
    of: (hit) => markOf(held, hit.id, groupOf(hit, field)),
    withGroup: (hit) => held.exclude_groups.has(groupOf(hit, field) ?? ""),
    seen: (hit) => held.seen.has(hit.id),
    by: ({ by }) => otherIn(view, by),
    mark,
    hideGroup: (hit) => hideGroup(hit, field),
    ...asking,
    undo,
    redo,
  };
}

interface FilteringProps {
  facts: Collection;
  findings: Findings;
  travel: Travel;
  showing: Showing;
  filters: Filters;
}

function Filtering({ facts, findings, travel: { place }, showing, filters }: FilteringProps): VNode {
  const plotted = usePlotted(findings);
  return <Facets key={facts.name} collection={facts} filtered={place} plotted={plotted} shown={showing.shown} onMap={showing.onMap} filters={filters} />;
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
