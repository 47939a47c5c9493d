/** Filters: the most frequent values of a collection's fields, with how many pictures have them; from and to of numbers and dates; places. */

import type { ComponentChildren, VNode } from "preact";
import { useContext, useEffect, useRef, useState } from "preact/hooks";

import type { Collection, Facet, FacetsRequest, Problem, Scalar } from "../client/contract.ts";
import { problemOf } from "../client/problem.ts";
import { count, plain } from "../ui/format.ts";
import { Failure } from "../ui/notice.tsx";
import { Media } from "../ui/picture.tsx";
import { AreaField } from "./area-field.tsx";
import { areaFields, areaFor } from "./areas.ts";
import type { Filtered } from "./conditions.ts";
import { filterOf, filtersIn, UNFILTERED } from "./conditions.ts";
import { isAmongResults } from "./grid-focus.ts";
import type { Where } from "./marks.ts";
import { valuesOf } from "./marks.ts";
import type { Plotted } from "./on-plot.ts";
import { RangeField } from "./range-field.tsx";
import type { Kind } from "./ranges.ts";
import { kindOf, rangeFor } from "./ranges.ts";
import type { Filters, Shown } from "./use-filtering.ts";

export interface FacetsProps {
  collection: Collection;
  filtered: Filtered;
  plotted: Plotted;
  shown: Shown;
  onMap: (field: string) => void;
  filters: Filters;
}

const MOST_FIELDS = 6;
const MOST_VALUES = 12;
const ASKED = 100;
const COUNTED = new Set(["keyword", "bool", "integer"]);

export function Facets({ collection, filtered, plotted, shown, onMap, filters }: FacetsProps): VNode | null {
  const place = useRef<HTMLElement>(null);
  const from = useRef(document.activeElement);
  const fields = fieldsOf(collection);
  const [all, problem] = useFacets(collection.name, fields, UNFILTERED);
  const [left] = useFacets(collection.name, fields, filtered);
  const waits = all === null && problem === null && fields.length > 0;
  useEffect(() => {
    // Unless one has gone elsewhere meanwhile; other pictures that came have led nobody away.
    const still = document.activeElement === from.current || isAmongResults();
    if (!waits && shown.byKey && still) entryOf(place.current)?.focus();
  }, [waits, shown.byKey]);
  // It comes as large as it stays.
  if (waits) return null;
  const rows = rowsOf(collection, all, filtered.where);
  return (
    <section ref={place} class="facets" aria-label="Filters" data-testid="facets">
      {problem !== null && <Failure problem={problem} />}
      {rows.length === 0 && <p class="soft">This collection has no field to filter by.</p>}
      {rows.map(({ field, kind, placed, values, chosen }) => (
        <Field key={field} field={field} values={values} counts={countsIn(left ?? all, field)} chosen={chosen} onValue={(value) => filters.onValue(field, value)}>
          {kind !== null && <RangeField field={field} kind={kind} range={rangeFor(filtered.ranges, field)} onRange={(range) => filters.onRange(field, range)} />}
          {placed && (
            <AreaField
              field={field}
              area={areaFor(filtered.areas, field)}
              plotted={plotted}
              mapped={shown.mapped === field}
              focused={shown.byKey}
              onMap={() => onMap(field)}
              onArea={(area) => filters.onArea(field, area)}
            />
          )}
        </Field>
      ))}
      <button type="button" disabled={filtersIn(filtered) === 0} onClick={filters.onNone} data-testid="no-filters">
        No filters
      </button>
    </section>
  );
}

/** A value rather than an input, which would take the key that leads away for a letter. */
function entryOf(place: HTMLElement | null): HTMLElement | null {
  return place?.querySelector<HTMLElement>('[aria-pressed="true"], .facet button') ?? place?.querySelector("input") ?? null;
}

interface FieldProps {
  field: string;
  values: readonly Scalar[];
  counts: ReadonlyMap<Scalar, number>;
  chosen: readonly Scalar[];
  onValue: (value: Scalar) => void;
  /** What else it can be filtered by. */
  children: ComponentChildren;
}

/** Values stay where they are when counts change; those that are rarer come when they are asked for. */
function Field({ field, values, counts, chosen, onValue, children }: FieldProps): VNode {
  const place = useRef<HTMLDivElement>(null);
  const [open, setOpen] = useState(false);
  const shown = open ? values : values.filter((value, index) => index < MOST_VALUES || chosen.includes(value));
  const more = values.length - shown.length;
  useEffect(() => {
    // The button that was pressed is gone.
    if (open) place.current?.querySelectorAll("button").item(MOST_VALUES).focus();
  }, [open]);
  return (
    <div ref={place} class="facet" role="group" aria-label={field}>
      <span class="facet-name">{field}</span>
      {children}
      {shown.map((value) => (
        <button
          key={String(value)}
          type="button"
          class="facet-value"
          aria-pressed={chosen.includes(value)}
          onClick={() => onValue(value)}
          data-testid="facet-value"
        >
          {plain(value)} <span class="soft">{count(counts.get(value) ?? 0)}</span>
        </button>
      ))}
      {more > 0 && (
        <button type="button" class="soft" onClick={() => setOpen(true)} data-testid="more-values">
          {count(more)} more
        </button>
      )}
      {open && values.length >= ASKED && <span class="soft">the {ASKED} most frequent</span>}
    </div>
  );
}

function fieldsOf({ payload }: Collection): string[] {
  const named = Object.entries(payload).filter(([, type]) => COUNTED.has(type));
  return named.map(([name]) => name).slice(0, MOST_FIELDS);
}

interface Row {
  field: string;
  /** Null where it has no from and to. */
  kind: Kind | null;
  /** Whether it has places. */
  placed: boolean;
  values: readonly Scalar[];
  chosen: readonly Scalar[];
}

/** Those that can be filtered by, in the order of their declaration. */
function rowsOf({ payload }: Collection, facets: readonly Facet[] | null, where: Where): Row[] {
  const ranged = Object.keys(payload).filter((field) => kindOf(payload, field) !== null).slice(0, MOST_FIELDS);
  const places = areaFields(payload).slice(0, MOST_FIELDS);
  const rows = Object.keys(payload).map((field): Row => {
    const chosen = valuesOf(where, field);
    const values = chosen.length > 0 || narrows(facets, field) ? valuesIn(facets, field, chosen) : [];
    return { field, kind: ranged.includes(field) ? kindOf(payload, field) : null, placed: places.includes(field), values, chosen };
  });
  return rows.filter(({ kind, placed, values }) => kind !== null || placed || values.length > 0);
}

/** Not a field whose many values are each one item's own, as a title is. */
function narrows(facets: readonly Facet[] | null, field: string): boolean {
  const values = facets?.find((facet) => facet.field === field)?.values ?? [];
  return values.length < MOST_VALUES || values.some(({ count: items }) => items > 1);
}

function valuesIn(facets: readonly Facet[] | null, field: string, chosen: readonly Scalar[]): Scalar[] {
  const known = facets?.find((facet) => facet.field === field)?.values ?? [];
  return [...new Set([...known.map(({ value }) => value), ...chosen])];
}

function countsIn(facets: readonly Facet[] | null, field: string): Map<Scalar, number> {
  const values = facets?.find((facet) => facet.field === field)?.values ?? [];
  return new Map(values.map(({ value, count: items }) => [value, items]));
}

/** Null until they are known, and where nothing is filtered beyond what is known already. */
function useFacets(collection: string, fields: readonly string[], filtered: Filtered): [Facet[] | null, Problem | null] {
  const { http } = useContext(Media);
  const [found, setFound] = useState<Facet[] | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const asked = JSON.stringify([fields, { where: filtered.where, ranges: filtered.ranges, areas: filtered.areas }]);
  useEffect(() => {
    const gone = new AbortController();
    const [names, by] = JSON.parse(asked) as [string[], Filtered];
    if (names.length === 0) return undefined;
    counted((request) => http.facets(collection, request, gone.signal), names, by).then(
      (facets) => {
        setFound(facets);
        setProblem(null);
      },
      (error: unknown) => {
        if (!gone.signal.aborted) setProblem(problemOf(error));
      },
    );
    return () => gone.abort();
  }, [http, collection, asked]);
  return [found, problem];
}

/** Values of one field are alternatives: each is counted as if none of its own field were chosen. */
async function counted(ask: (request: FacetsRequest) => Promise<Facet[]>, fields: readonly string[], { where, ...narrowed }: Filtered): Promise<Facet[]> {
  const chosen = fields.filter((field) => valuesOf(where, field).length > 0);
  const others = fields.filter((field) => !chosen.includes(field));
  const asks = [...(others.length > 0 ? [others] : []), ...chosen.map((field) => [field])];
  const found = await Promise.all(
    asks.map((names) => {
      const filter = filterOf({ where: where.filter(([field]) => !names.includes(field)), ...narrowed });
      return ask({ fields: names, limit: ASKED, ...(filter && { filter }) });
    }),
  );
  return found.flat();
}
