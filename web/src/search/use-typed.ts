/** Inputs that make one value: what is typed is asked for once the typing pauses, by Enter, or when they are left. */

import type { RefObject } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

export interface Read<Value, Name> {
  value: Value | null;
  /** What is wrong, and at which inputs. */
  wrong: string | null;
  at: readonly Name[];
  /** Nothing is wrong but that there is no more yet: said only when they are left. */
  unfinished?: boolean;
}

export type Texts<Name extends string> = Readonly<Partial<Record<Name, string>>>;

export interface TypedOptions<Value, Name extends string> {
  value: Value | null;
  textsOf: (value: Value | null) => Texts<Name>;
  /** `unread`: where something stands that the browser makes no value of. */
  read: (texts: Texts<Name>, unread: readonly Name[]) => Read<Value, Name>;
  /** Two that are told alike are the same. */
  told: (value: Value) => string;
  onValue: (value: Value | null) => void;
}

export interface Typed<Value, Name extends string> {
  texts: Texts<Name>;
  /** What was wrong with them when they were last asked for. */
  reading: Read<Value, Name>;
  type: (some: Texts<Name>) => void;
  /** What the element around them needs. */
  bound: {
    ref: RefObject<HTMLSpanElement | null>;
    onKeyDown: (event: KeyboardEvent) => void;
    onFocusOut: (event: FocusEvent) => void;
  };
}

/** Long enough for the next digit, or the way to the other end: half a number is not meant. */
export const SETTLE_MS = 700;

export function useTyped<Value, Name extends string>({ value, textsOf, read, told, onValue }: TypedOptions<Value, Name>): Typed<Value, Name> {
  const ref = useRef<HTMLSpanElement>(null);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const [texts, setTexts] = useState(textsOf(value));
  const [reading, setReading] = useState<Read<Value, Name>>({ value: null, wrong: null, at: [] });
  const nothingWrong = (): void => setReading({ value: null, wrong: null, at: [] });
  const asked = value === null ? "" : told(value);
  const isAsked = (now: Read<Value, Name>): boolean => now.wrong === null && (now.value === null ? "" : told(now.value)) === asked;
  const standing = (): Read<Value, Name> => read(...standingIn<Name>(ref.current));
  const settle = ({ left }: { left: boolean }): void => {
    clearTimeout(timer.current);
    const now = standing();
    if (now.unfinished && !left) return;
    setReading(now);
    if (now.wrong === null && !isAsked(now)) onValue(now.value);
  };
  const latest = useRef(settle);
  useLayoutEffect(() => void (latest.current = settle));
  useLayoutEffect(() => {
    // What was typed comes back as it was read: it stays as it was written.
    if (isAsked(standing())) return;
    clearTimeout(timer.current);
    setTexts(textsOf(value));
    nothingWrong();
    // Only what is asked for is looked at here.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [asked]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const type = (some: Texts<Name>): void => {
    setTexts({ ...texts, ...some });
    nothingWrong();
    clearTimeout(timer.current);
    timer.current = setTimeout(() => latest.current({ left: false }), SETTLE_MS);
  };
  const onKeyDown = ({ key }: KeyboardEvent): void => {
    if (key === "Enter") settle({ left: true });
  };
  const onFocusOut = ({ relatedTarget }: FocusEvent): void => {
    if (!(relatedTarget instanceof Node && ref.current?.contains(relatedTarget))) settle({ left: true });
  };
  return { texts, reading, type, bound: { ref, onKeyDown, onFocusOut } };
}

/** What the elements hold: the last letter may not have been drawn yet. */
function standingIn<Name extends string>(place: HTMLElement | null): [Texts<Name>, Name[]] {
  const inputs = [...(place?.querySelectorAll("input") ?? [])];
  const texts = Object.fromEntries(inputs.map(({ name, value }) => [name, value])) as Texts<Name>;
  return [texts, inputs.filter(({ validity }) => validity.badInput).map(({ name }) => name as Name)];
}
