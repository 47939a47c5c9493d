/** From and to of one field; what is typed is asked for once the typing pauses, or is left. */

import type { RefObject, VNode } from "preact";
import { useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";

import type { End, Kind, Range, Reading, Typed } from "./ranges.ts";
import { ENDS, FIRST_DAY, LAST_DAY, readTyped, typedOf, writeRange } from "./ranges.ts";

export interface RangeFieldProps {
  field: string;
  kind: Kind;
  range: Range | null;
  onRange: (range: Range | null) => void;
}

/** Long enough for the next digit, or the way to the other end: half a number is not meant. */
const SETTLE_MS = 700;
const BOUNDS = { number: { step: "any" }, date: { min: FIRST_DAY, max: LAST_DAY } } as const;

export function RangeField({ field, kind, range, onRange }: RangeFieldProps): VNode {
  const id = useId();
  const { place, typed, reading, type, settle } = useRange({ kind, range, onRange });
  const onEnter = (event: KeyboardEvent): void => {
    if (event.key === "Enter") settle();
  };
  const onFocusOut = ({ relatedTarget }: FocusEvent): void => {
    if (!(relatedTarget instanceof Node && place.current?.contains(relatedTarget))) settle();
  };
  return (
    <span ref={place} class="range" onFocusOut={onFocusOut}>
      {ENDS.map((end) => (
        <label key={end}>
          <span>{end}</span>
          <input
            type={kind}
            {...BOUNDS[kind]}
            name={end}
            aria-label={`${field} ${end}`}
            aria-invalid={reading.ends.includes(end)}
            aria-describedby={reading.wrong === null ? undefined : id}
            value={typed[end]}
            onInput={(event) => type(end, event.currentTarget.value)}
            onKeyDown={onEnter}
            data-testid={`range-${end}`}
          />
        </label>
      ))}
      <span id={id} class="range-wrong bad" role="alert" data-testid="range-wrong">
        {reading.wrong}
      </span>
    </span>
  );
}

interface Ranging {
  place: RefObject<HTMLSpanElement | null>;
  typed: Typed;
  /** What was wrong with it when it was last asked for. */
  reading: Reading;
  type: (end: End, text: string) => void;
  /** What is typed is asked for, or what is wrong with it is said. */
  settle: () => void;
}

const RIGHT: Reading = { range: null, wrong: null, ends: [] };

function useRange({ kind, range, onRange }: Omit<RangeFieldProps, "field">): Ranging {
  const place = useRef<HTMLSpanElement>(null);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const [typed, setTyped] = useState(typedOf(range));
  const [reading, setReading] = useState(RIGHT);
  const read = (): Reading => {
    const inputs = inputsIn(place.current);
    const unread = inputs.filter(({ validity }) => validity.badInput).map(({ name }) => name as End);
    const [from = "", to = ""] = inputs.map(({ value }) => value);
    return readTyped(kind, { from, to }, unread);
  };
  const settle = (): void => {
    clearTimeout(timer.current);
    const now = read();
    setReading(now);
    if (now.wrong === null && told(now.range) !== told(range)) onRange(now.range);
  };
  const latest = useRef(settle);
  useLayoutEffect(() => void (latest.current = settle));
  const asked = told(range);
  useLayoutEffect(() => {
    const now = read();
    // What was typed comes back as it was read: it stays as it was written.
    if (now.wrong === null && told(now.range) === asked) return;
    clearTimeout(timer.current);
    setTyped(typedOf(range));
    setReading(RIGHT);
    // Only what is asked for is looked at here.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [asked]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const type = (end: End, text: string): void => {
    setTyped({ ...typed, [end]: text });
    setReading(RIGHT);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => latest.current(), SETTLE_MS);
  };
  return { place, typed, reading, type, settle };
}

const told = (range: Range | null): string => (range === null ? "" : writeRange(range));

const inputsIn = (place: HTMLElement | null): HTMLInputElement[] => [...(place?.querySelectorAll("input") ?? [])];
