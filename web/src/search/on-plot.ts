/** The pictures whose places a plot shows: those found, and those that were before a circle or a box took them away. */

import { useRef } from "preact/hooks";

import type { Condition, Hit } from "../client/contract.ts";
import { areaOf, pointsOf } from "./areas.ts";
import type { Point } from "./coordinates.ts";
import type { Findings, Request } from "./finder.ts";
import { nameOf } from "../ui/format.ts";

export interface Plotted {
  /** What they were found by, beside places. */
  question: string;
  /** Of what is shown now. */
  now: ReadonlySet<number>;
  /** The earlier ones as well. */
  hits: readonly Hit[];
}

export interface Dot {
  key: string;
  name: string;
  point: Point;
  now: boolean;
}

const NONE: Plotted = { question: "", now: new Set(), hits: [] };

export function usePlotted({ phase, request, hits }: Findings): Plotted {
  const kept = useRef(NONE);
  // Until the answer is there, what is shown belongs to the question before.
  if (phase !== "loading" && request !== null) kept.current = plotted(kept.current, request, hits);
  return kept.current;
}

export function plotted(before: Plotted, request: Request, hits: readonly Hit[]): Plotted {
  const question = withoutPlaces(request);
  const earlier = question === before.question ? before.hits : [];
  const now = new Set(hits.map(({ id }) => id));
  const isSame = question === before.question && now.size === before.now.size && hits.every(({ id }) => before.now.has(id));
  return isSame ? before : { question, now, hits: [...earlier.filter(({ id }) => !now.has(id)), ...hits] };
}

const withoutPlaces = ({ filter, ...rest }: Request): string => JSON.stringify([rest, filter?.must?.filter((one: Condition) => areaOf(one) === null) ?? []]);

export function dotsOf({ now, hits }: Plotted, field: string): Dot[] {
  return hits.flatMap(({ id, payload, source }) =>
    pointsOf(payload, field).map((point, place) => ({ key: `${id}-${place}`, name: nameOf(id, payload, source), point, now: now.has(id) })),
  );
}
