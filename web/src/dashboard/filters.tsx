/** Which jobs are listed. */

import type { VNode } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

import type { JobState } from "../client/contract.ts";
import { STATES } from "./view.ts";

const SETTLE_MS = 200;

export interface FiltersProps {
  state: JobState | "";
  q: string;
  onState: (state: JobState | "") => void;
  onQ: (q: string) => void;
}

export function Filters({ state, q, onState, onQ }: FiltersProps): VNode {
  const [typed, setTyped] = useState(q);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => setTyped(q), [q]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const type = (text: string): void => {
    setTyped(text);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => onQ(text.trim()), SETTLE_MS);
  };
  return (
    <div class="filters" role="search">
      <input
        type="search"
        aria-label="Words of the request, or the start of an id"
        placeholder="Words or id"
        value={typed}
        onInput={(event) => type(event.currentTarget.value)}
        data-testid="jobs-q"
      />
      <select
        aria-label="State"
        value={state}
        onChange={(event) => onState(STATES.find((known) => known === event.currentTarget.value) ?? "")}
        data-testid="jobs-state"
      >
        <option value="">every state</option>
        {STATES.map((known) => (
          <option key={known} value={known}>
            {known}
          </option>
        ))}
      </select>
    </div>
  );
}
