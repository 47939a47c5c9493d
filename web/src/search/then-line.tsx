/** What is to come after it in the same video: a line for each further step, and within how many seconds. */

import type { VNode } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

import type { Collection } from "../client/contract.ts";
import { Icon } from "../ui/icons.tsx";
import type { Later } from "./address.ts";
import { MAX_LATER, MAX_WITHIN_S, secondsIn, WITHIN_S } from "./address.ts";
import { reach, useField } from "./use-field.ts";
import { useKeys } from "./use-keys.ts";

export interface ThenLinesProps {
  steps: readonly Later[];
  onSteps: (steps: readonly Later[]) => void;
  onLeave: () => void;
  onDown: () => void;
}

const EMPTY: Later = { text: "", withinS: WITHIN_S };
/** The key of the first of these lines; the next ones follow. */
const FIRST_KEY = 2;

/** Whether the items of a collection have their times in groups, as the shots of videos do. */
export function hasTimes({ group_field: field, payload }: Collection): boolean {
  return field !== null && "start_s" in payload;
}

export function ThenLines({ steps, onSteps, onLeave, onDown }: ThenLinesProps): VNode {
  const list = useRef<HTMLDivElement>(null);
  const lines = steps.length > 0 ? steps : [EMPTY];
  const room = lines.length < MAX_LATER && lines.at(-1)?.text.trim() !== "";
  const add = (): void => onSteps([...lines, EMPTY]);
  const go = (place: number): void => {
    if (place === lines.length && room) add();
    else reach(inputsIn(list.current)[place] ?? null);
  };
  useKeys({ 2: () => go(0), 3: () => go(1), 4: () => go(2) });
  useNewest(list, lines.length);
  return (
    <div ref={list} class="then-lines" role="group" aria-label="What comes after it">
      {lines.map((line, place) => (
        <ThenLine
          key={place}
          line={line}
          place={place}
          onLine={(part) => onSteps(lines.map((one, at) => (at === place ? { ...one, ...part } : one)))}
          onRemove={lines.length > 1 ? () => onSteps(lines.filter((_, at) => at !== place)) : undefined}
          onAdd={place === lines.length - 1 && place + 1 < MAX_LATER ? add : undefined}
          full={!room}
          onLeave={onLeave}
          onDown={onDown}
        />
      ))}
    </div>
  );
}

interface ThenLineProps {
  line: Later;
  place: number;
  onLine: (part: Partial<Later>) => void;
  onRemove: (() => void) | undefined;
  onAdd: (() => void) | undefined;
  /** Whether there is nothing to come after yet. */
  full: boolean;
  onLeave: () => void;
  onDown: () => void;
}

function ThenLine({ line, place, onLine, onRemove, onAdd, full, onLeave, onDown }: ThenLineProps): VNode {
  const { input, typed, tell, bound } = useField({ text: line.text, onType: (text) => onLine({ text }), onLeave, onDown });
  const keys = (event: KeyboardEvent): void => {
    bound.onKeyDown(event);
    if (event.key !== "Enter") return;
    tell();
    onLeave();
  };
  const [key, step] = [FIRST_KEY + place, place + 2];
  return (
    <div class="then-line">
      <label class="then-words">
        <span>then</span>
        <input ref={input} type="text" aria-label={`Step ${step}: what comes after it`} placeholder="what comes after it" {...bound} onKeyDown={keys} data-testid="then" />
        {typed === "" && <kbd class="wide-only" title={`Press ${key} to come here`}>{key}</kbd>}
      </label>
      <span class="then-within">
        <span class="wide-only">within</span>
        <Within step={step} withinS={line.withinS} onWithin={(withinS) => onLine({ withinS })} /> s
      </span>
      <span class="then-acts">
        {onRemove && (
          <button type="button" class="round" aria-label={`Take step ${step} away`} onClick={onRemove} data-testid="remove-then">
            <Icon name="close" />
          </button>
        )}
        {onAdd && (
          <button type="button" class="round add-then" aria-label="One step more" title={`One step more: ${key + 1}`} disabled={full} onClick={onAdd} data-testid="add-then">
            <Icon name="plus" />
          </button>
        )}
      </span>
    </div>
  );
}

interface WithinProps {
  step: number;
  withinS: number;
  onWithin: (withinS: number) => void;
}

/** Asked for once it is a number that can be asked for. */
function Within({ step, withinS, onWithin }: WithinProps): VNode {
  const [typed, setTyped] = useState(String(withinS));
  useEffect(() => setTyped(String(withinS)), [withinS]);
  const change = (text: string): void => {
    setTyped(text);
    if (secondsIn(text) === Number(text)) onWithin(Number(text));
  };
  return (
    <input
      type="number"
      aria-label={`Step ${step}: within how many seconds`}
      min={1}
      max={MAX_WITHIN_S}
      value={typed}
      onInput={(event) => change(event.currentTarget.value)}
      onBlur={() => setTyped(String(withinS))}
      data-testid="within"
    />
  );
}

const inputsIn = (list: HTMLElement | null): HTMLInputElement[] => [...(list?.querySelectorAll<HTMLInputElement>(".then-words input") ?? [])];

/** A line that was just made has the focus; one that came with an address has not. */
function useNewest(list: { current: HTMLElement | null }, count: number): void {
  const before = useRef(count);
  useLayoutEffect(() => {
    const last = inputsIn(list.current).at(-1);
    if (count > before.current && last?.value === "") reach(last);
    before.current = count;
  }, [list, count]);
}
