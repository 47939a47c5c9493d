/** From and to of one field. */

import type { VNode } from "preact";
import { useId } from "preact/hooks";

import type { End, Kind, Range } from "./ranges.ts";
import { ENDS, FIRST_DAY, LAST_DAY, readTyped, typedOf, writeRange } from "./ranges.ts";
import { useTyped } from "./use-typed.ts";

export interface RangeFieldProps {
  field: string;
  kind: Kind;
  range: Range | null;
  onRange: (range: Range | null) => void;
}

const BOUNDS = { number: { step: "any" }, date: { min: FIRST_DAY, max: LAST_DAY } } as const;

export function RangeField({ field, kind, range, onRange }: RangeFieldProps): VNode {
  const id = useId();
  const { texts, reading, type, bound } = useTyped<Range, End>({
    value: range,
    textsOf: typedOf,
    read: ({ from = "", to = "" }, unread) => readTyped(kind, { from, to }, unread),
    told: writeRange,
    onValue: onRange,
  });
  return (
    <span class="range" {...bound}>
      {ENDS.map((end) => (
        <label key={end}>
          <span>{end}</span>
          <input
            type={kind}
            {...BOUNDS[kind]}
            name={end}
            aria-label={`${field} ${end}`}
            aria-invalid={reading.at.includes(end)}
            aria-describedby={reading.wrong === null ? undefined : id}
            value={texts[end] ?? ""}
            onInput={(event) => type(end, event.currentTarget.value)}
            data-testid={`range-${end}`}
          />
        </label>
      ))}
      <span id={id} class="range-wrong bad" role="alert" data-testid="range-wrong">
        {reading.wrong !== null && `${field}: ${reading.wrong}`}
      </span>
    </span>
  );
}
