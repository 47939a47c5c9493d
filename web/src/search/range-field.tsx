/** From and to of one field: numbers, or days with a time of day where one is wanted. */

import type { VNode } from "preact";
import { useId } from "preact/hooks";

import type { End, Kind, Range } from "./ranges.ts";
import { ENDS, readTyped, typedOf, writeRange } from "./ranges.ts";
import { FIRST_DAY, LAST_DAY, stretchIn } from "./stretches.ts";
import type { Read, Texts, Typed } from "./use-typed.ts";
import { useTyped } from "./use-typed.ts";

export interface RangeFieldProps {
  field: string;
  kind: Kind;
  range: Range | null;
  onRange: (range: Range | null) => void;
}

/** As the inputs are called; a time has one of its own. */
type Name = End | `${End} time`;

const BOUNDS = { number: { step: "any" }, date: { min: FIRST_DAY, max: LAST_DAY } } as const;

export function RangeField({ field, kind, range, onRange }: RangeFieldProps): VNode {
  const id = useId();
  const told = useTyped<Range, Name>({ value: range, textsOf, read: (texts, unread) => reading(kind, texts, unread), told: writeRange, onValue: onRange });
  const { wrong } = told.reading;
  return (
    <span class="range" {...told.bound}>
      {ENDS.map((end) => (
        <span key={end} class="range-end">
          <label>
            <span>{end}</span>
            <Input field={field} name={end} kind={kind} told={told} wrongAt={id} />
          </label>
          {kind === "date" && <Input field={field} name={`${end} time`} kind="time" told={told} wrongAt={id} />}
        </span>
      ))}
      {kind === "date" && (
        <span class="soft range-zone" title="Days and times are of UTC, as moments without an offset are">
          UTC
        </span>
      )}
      <span id={id} class="range-wrong bad" role="alert" data-testid="range-wrong">
        {wrong !== null && `${field}: ${wrong}`}
      </span>
    </span>
  );
}

interface InputProps {
  field: string;
  name: Name;
  kind: Kind | "time";
  told: Typed<Range, Name>;
  /** Where it is said what is wrong. */
  wrongAt: string;
}

function Input({ field, name, kind, told: { texts, reading: { wrong, at }, type }, wrongAt }: InputProps): VNode {
  const onPaste = (event: ClipboardEvent): void => {
    // The browser's own input takes a day alone.
    const pasted = stretchIn(event.clipboardData?.getData("text").trim() ?? "");
    if (kind !== "date" || pasted === undefined) return;
    event.preventDefault();
    type(halves(name as End, pasted));
  };
  return (
    <input
      type={kind}
      {...(kind === "time" ? {} : BOUNDS[kind])}
      name={name}
      aria-label={`${field} ${name}`}
      aria-invalid={at.includes(name)}
      aria-describedby={wrong === null ? undefined : wrongAt}
      value={texts[name] ?? ""}
      onInput={(event) => type({ [name]: event.currentTarget.value })}
      onPaste={onPaste}
      data-testid={`range-${name.replace(" ", "-")}`}
    />
  );
}

function textsOf(range: Range | null): Texts<Name> {
  const { from, to } = typedOf(range);
  return { ...halves("from", from), ...halves("to", to) };
}

/** A day and its time; a number stands alone. */
function halves(end: End, text: string): Texts<Name> {
  const [day = "", time = ""] = text.split("T");
  return { [end]: day, [`${end} time`]: time };
}

function reading(kind: Kind, texts: Texts<Name>, unread: readonly Name[]): Read<Range, Name> {
  const whole = (end: End): string => [texts[end] ?? "", texts[`${end} time`] ?? ""].filter((half, place) => place === 0 || half !== "").join("T");
  const ends = ENDS.filter((end) => unread.includes(end) || unread.includes(`${end} time`));
  const read = readTyped(kind, { from: whole("from"), to: whole("to") }, ends);
  return { ...read, at: read.at.flatMap((end): Name[] => [end, `${end} time`]) };
}
