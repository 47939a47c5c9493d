/** The filters of a search: what each changes, told in words; and whether they are shown. */

import { useState } from "preact/hooks";

import type { Collection, Scalar } from "../client/contract.ts";
import type { Area } from "./areas.ts";
import { areaFields, withArea, wordsOfArea } from "./areas.ts";
import { filtersIn, UNFILTERED } from "./conditions.ts";
import { enterGrid } from "./grid-focus.ts";
import { toggledValue } from "./marks.ts";
import type { Range } from "./ranges.ts";
import { withRange, wordsOfRange } from "./ranges.ts";
import type { Travel } from "./use-place.ts";
import type { Sitting } from "./use-sitting.ts";

export interface Filters {
  onValue: (field: string, value: Scalar) => void;
  onRange: (field: string, range: Range | null) => void;
  onArea: (field: string, area: Area | null) => void;
  onNone: () => void;
}

export function filtersOf({ place, go }: Travel, { note }: Sitting): Filters {
  return {
    onValue: (field, value) => {
      note(`filtered by ${field}`);
      go({ where: toggledValue(place.where, field, value) });
    },
    onRange: (field, range) => {
      note(range === null ? `no longer filtered by a range of ${field}` : `filtered by ${wordsOfRange(field, range)}`);
      go({ ranges: withRange(place.ranges, field, range) });
    },
    onArea: (field, area) => {
      note(area === null ? `no longer filtered by ${field}` : `filtered by ${wordsOfArea(field, area)}`);
      go({ areas: withArea(place.areas, field, area) });
    },
    onNone: () => {
      note("filters taken away");
      go(UNFILTERED);
    },
  };
}

/** `byKey`: whether a key opened them, which leads there. */
export interface Shown {
  open: boolean;
  byKey: boolean;
  /** The field whose plot is shown. */
  mapped: string | null;
}

export interface Showing {
  shown: Shown;
  onFilter: () => void;
  onMap: (field: string) => void;
  /** As keys do. */
  pressFilter: () => void;
  pressMap: () => void;
}

export function useShowing({ place }: Travel, facts: Collection | null): Showing {
  const [shown, show] = useState<Shown>({ open: filtersIn(place) > 0, byKey: false, mapped: null });
  const { open, mapped } = shown;
  const [first] = areaFields(facts?.payload ?? {});
  const pressMap = (): void => {
    if (first === undefined) return;
    if (open && mapped !== null) leave(".plot-place");
    show(open && mapped !== null ? { ...shown, mapped: null } : { open: true, byKey: true, mapped: first });
  };
  const pressFilter = (): void => {
    if (open) leave(".facets");
    show({ ...shown, open: !open, byKey: !open });
  };
  return {
    shown,
    onFilter: () => show({ ...shown, open: !open, byKey: false }),
    onMap: (field) => show({ ...shown, byKey: false, mapped: mapped === field ? null : field }),
    pressFilter,
    pressMap,
  };
}

/** The focus would go with them. */
function leave(place: string): void {
  if (document.activeElement?.closest(place)) enterGrid();
}
