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
  type: (text: string) => void;
  /** What is typed is told now; returns it. */
  tell: () => string;
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
  const { typed, type, tell } = useTyping(text, onType);
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === "ArrowDown") onDown();
    else if (event.key === "Escape" && typed !== "") type("");
    // The key that leads here, pressed by who is here already; no words begin so.
    else if (event.key !== "/" || typed !== "") return;
    event.preventDefault();
  };
  // What stands in the element: the last letter may not have been drawn yet.
  const now = (): string => input.current?.value ?? typed;
  const onBlur = (): void => {
    tell(now());
    onLeave();
  };
  return {
    input,
    typed,
    type,
    tell: () => {
      const told = now();
      tell(told);
      return told;
    },
    bound: {
      autocomplete: "off",
      maxLength: MAX_TEXT,
      value: typed,
      onInput: (event) => type(event.currentTarget.value),
      onKeyDown,
      onBlur,
    },
  };
}

export function reach(input: HTMLInputElement | null): void {
  input?.focus();
  input?.select();
}
