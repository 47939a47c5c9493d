/** Filters: the most frequent values of a collection's fields, with how many pictures have them. */

import type { VNode } from "preact";
import { useContext, useEffect, useRef, useState } from "preact/hooks";

import type { Collection, Facet, FacetsRequest, Filter, Problem, Scalar } from "../client/contract.ts";
import { problemOf } from "../client/problem.ts";
import { count, plain } from "../ui/format.ts";
import { Failure } from "../ui/notice.tsx";
import { Media } from "../ui/picture.tsx";
import type { Where } from "./marks.ts";
import { valuesOf } from "./marks.ts";

export interface FacetsProps {
  collection: Collection;
  where: Where;
  /** Whether they were opened by a key, which leads to them. */
  focused: boolean;
  onValue: (field: string, value: Scalar) => void;
  onNone: () => void;
}

const MOST_FIELDS = 6;
const MOST_VALUES = 12;
const ASKED = 100;
const COUNTED = new Set(["keyword", "bool", "integer"]);

export function Facets({ collection, where, focused, onValue, onNone }: FacetsProps): VNode | null {
  const place = useRef<HTMLElement>(null);
  const from = useRef(document.activeElement);
  const fields = fieldsOf(collection);
  const [all, problem] = useFacets(collection.name, fields, []);
  const [left] = useFacets(collection.name, fields, where);
  const waits = all === null && problem === null && fields.length > 0;
  useEffect(() => {
    // Unless one has gone elsewhere meanwhile.
    if (!waits && focused && document.activeElement === from.current) place.current?.querySelector<HTMLElement>('[aria-pressed="true"], button:enabled')?.focus();
  }, [waits, focused]);
  // It comes as large as it stays.
  if (waits) return null;
  return (
    <section ref={place} class="facets" aria-label="Filters" data-testid="facets">
      {problem !== null && <Failure problem={problem} />}
      {fields.length === 0 && <p class="soft">This collection has no field to filter by.</p>}
      {fields.filter((field) => valuesOf(where, field).length > 0 || narrows(all, field)).map((field) => (
        <Field
          key={field}
          field={field}
          values={valuesIn(all, field, valuesOf(where, field))}
          counts={countsIn(left ?? all, field)}
          chosen={valuesOf(where, field)}
          onValue={(value) => onValue(field, value)}
        />
      ))}
      <button type="button" disabled={where.length === 0} onClick={onNone} data-testid="no-filters">
        No filters
      </button>
    </section>
  );
}

interface FieldProps {
  field: string;
  values: readonly Scalar[];
  counts: ReadonlyMap<Scalar, number>;
  chosen: readonly Scalar[];
  onValue: (value: Scalar) => void;
}

/** Values stay where they are when counts change; those that are rarer come when they are asked for. */
function Field({ field, values, counts, chosen, onValue }: FieldProps): VNode {
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
function useFacets(collection: string, fields: readonly string[], where: Where): [Facet[] | null, Problem | null] {
  const { http } = useContext(Media);
  const [found, setFound] = useState<Facet[] | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const asked = JSON.stringify([fields, where]);
  useEffect(() => {
    const gone = new AbortController();
    const [names, pairs] = JSON.parse(asked) as [string[], Where];
    if (names.length === 0) return undefined;
    counted((request) => http.facets(collection, request, gone.signal), names, pairs).then(
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

/** Values of one field are alternatives: each is counted as if nothing of its own field were chosen. */
async function counted(ask: (request: FacetsRequest) => Promise<Facet[]>, fields: readonly string[], where: Where): Promise<Facet[]> {
  const chosen = fields.filter((field) => valuesOf(where, field).length > 0);
  const others = fields.filter((field) => !chosen.includes(field));
  const asks = [...(others.length > 0 ? [others] : []), ...chosen.map((field) => [field])];
  const found = await Promise.all(
    asks.map((names) => {
      const filter = filterOf(where.filter(([field]) => !names.includes(field)));
      return ask({ fields: names, limit: ASKED, ...(filter && { filter }) });
    }),
  );
  return found.flat();
}

/** One of the chosen values of each field. */
export function filterOf(where: Where): Filter | null {
  const fields = [...new Set(where.map(([field]) => field))];
  return fields.length === 0 ? null : { must: fields.map((key) => ({ key, match: valuesOf(where, key) })) };
}
