/** What is to come after it in the same video: a second line of words, and within how many seconds. */

import type { VNode } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

import type { Collection } from "../client/contract.ts";
import { MAX_TEXT, MAX_WITHIN_S, secondsIn } from "./address.ts";
import { useTyping } from "./use-typing.ts";
import { isElsewhere, isPlain } from "./use-keys.ts";

export interface ThenLineProps {
  text: string;
  withinS: number;
  onType: (then: string) => void;
  onWithin: (withinS: number) => void;
  onLeave: () => void;
  onDown: () => void;
}

/** Whether the items of a collection have their times in groups, as the shots of videos do. */
export function hasTimes({ group_field: field, payload }: Collection): boolean {
  return field !== null && "start_s" in payload;
}

export function ThenLine({ text, withinS, onType, onWithin, onLeave, onDown }: ThenLineProps): VNode {
  const input = useRef<HTMLInputElement>(null);
  const [typed, setTyped, flush] = useTyping(text, onType);
  useTwo(input);
  const keys = (event: KeyboardEvent): void => {
    if (event.key === "ArrowDown") onDown();
    else if (event.key === "Escape" && typed !== "") setTyped("");
    else return;
    event.preventDefault();
  };
  const submit = (event: Event): void => {
    event.preventDefault();
    flush();
    onType(typed);
    onLeave();
  };
  return (
    <form class="then-line" onSubmit={submit}>
      <label class="then-words">
        <span>then</span>
        <input
          ref={input}
          type="text"
          aria-label="What comes after it"
          placeholder="what comes after it"
          autocomplete="off"
          maxLength={MAX_TEXT}
          value={typed}
          onInput={(event) => setTyped(event.currentTarget.value)}
          onKeyDown={keys}
          onBlur={onLeave}
          data-testid="then"
        />
        {typed === "" && <kbd class="wide-only" title="Press 2 to come here">2</kbd>}
      </label>
      <span class="then-within">
        within <Within withinS={withinS} onWithin={onWithin} /> s
      </span>
    </form>
  );
}

/** Asked for once it is a number that can be asked for. */
function Within({ withinS, onWithin }: Pick<ThenLineProps, "withinS" | "onWithin">): VNode {
  const [typed, setTyped] = useState(String(withinS));
  useEffect(() => setTyped(String(withinS)), [withinS]);
  const change = (text: string): void => {
    setTyped(text);
    if (secondsIn(text) === Number(text)) onWithin(Number(text));
  };
  return (
    <input
      type="number"
      aria-label="Within how many seconds"
      min={1}
      max={MAX_WITHIN_S}
      value={typed}
      onInput={(event) => change(event.currentTarget.value)}
      onBlur={() => setTyped(String(withinS))}
      data-testid="within"
    />
  );
}

/** "2" brings the focus to the second line, as "/" does to the first. */
function useTwo(input: { current: HTMLInputElement | null }): void {
  useLayoutEffect(() => {
    const come = (event: KeyboardEvent): void => {
      if (event.key !== "2" || !isPlain(event) || isElsewhere(event.target)) return;
      event.preventDefault();
      input.current?.focus();
      input.current?.select();
    };
    addEventListener("keydown", come);
    return () => removeEventListener("keydown", come);
  }, [input]);
}
