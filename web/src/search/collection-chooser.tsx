/** Which collection is searched. */

import type { VNode } from "preact";

import type { Collection } from "../client/contract.ts";
import { count } from "../ui/format.ts";

export interface CollectionChooserProps {
  /** Null while it is being asked for; its place is kept. */
  list: readonly Collection[] | null;
  chosen: string | null;
  onChoose: (name: string) => void;
}

export function CollectionChooser({ list, chosen, onChoose }: CollectionChooserProps): VNode | null {
  if (list?.length === 0) return null;
  const known = list?.some(({ name }) => name === chosen);
  return (
    <label class="chooser">
      <span class="wide-only">in</span>
      <select
        aria-label="Collection"
        value={chosen ?? ""}
        disabled={list === null}
        onChange={(event) => onChoose(event.currentTarget.value)}
        data-testid="collection"
      >
        {!known && chosen !== null && <option value={chosen}>{chosen}</option>}
        {list?.map(({ name, count: pictures }) => (
          <option key={name} value={name}>
            {name} ({count(pictures)})
          </option>
        ))}
      </select>
    </label>
  );
}
