/** A field of words that are searched for as they are typed; the same keys in each. */

import type { RefObject } from "preact";
import { useRef } from "preact/hooks";

import { MAX_TEXT } from "./address.ts";
import { useTyping } from "./use-typing.ts";

export interface FieldOptions {
  text: string;
  onType: (text: string) => void;
  onLeave: () => void;
  /** Down from it, to what was found. */
  onDown: () => void;
}

export interface Field {
  input: RefObject<HTMLInputElement | null>;
  typed: string;
  setTyped: (text: string) => void;
  /** What waits to be told is dropped: it is told at once. */
  flush: () => void;
  /** What the element needs. */
  bound: Bound;
}

interface Bound {
  autocomplete: "off";
  maxLength: number;
  value: string;
  onInput: (event: { currentTarget: HTMLInputElement }) => void;
  onKeyDown: (event: KeyboardEvent) => void;
  onBlur: () => void;
}

export function useField({ text, onType, onLeave, onDown }: FieldOptions): Field {
  const input = useRef<HTMLInputElement>(null);
  const [typed, setTyped, flush] = useTyping(text, onType);
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === "ArrowDown") onDown();
    else if (event.key === "Escape" && typed !== "") setTyped("");
    else return;
    event.preventDefault();
  };
  return {
    input,
    typed,
    setTyped,
    flush,
    bound: {
      autocomplete: "off",
      maxLength: MAX_TEXT,
      value: typed,
      onInput: (event) => setTyped(event.currentTarget.value),
      onKeyDown,
      onBlur: onLeave,
    },
  };
}

export function reach(input: HTMLInputElement | null): void {
  input?.focus();
  input?.select();
}
