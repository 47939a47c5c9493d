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
  /** What is typed is told now. */
  tell: () => void;
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
  const tell = (): void => {
    flush();
    if (typed.trim() !== text.trim()) onType(typed);
  };
  const onBlur = (): void => {
    tell();
    onLeave();
  };
  return {
    input,
    typed,
    setTyped,
    tell,
    bound: {
      autocomplete: "off",
      maxLength: MAX_TEXT,
      value: typed,
      onInput: (event) => setTyped(event.currentTarget.value),
      onKeyDown,
      onBlur,
    },
  };
}

export function reach(input: HTMLInputElement | null): void {
  input?.focus();
  input?.select();
}
