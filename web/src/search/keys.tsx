/** All that can be done by one key, in a dialog of its own. */

import type { VNode } from "preact";

import { Icon } from "../ui/icons.tsx";
import { Modal } from "../ui/modal.tsx";

type Row = readonly [keys: string, what: string];

const GROUPS: readonly (readonly [string, readonly Row[]])[] = [
  [
    "Ask",
    [
      ["/", "to the words"],
      ["Enter", "there: ask anew"],
      ["2 3 4", "what comes after it (videos)"],
      ["r", "refine by what is marked"],
      ["n", "more of the same"],
      ["f", "filters"],
      ["m", "where they are, on a plot"],
      ["o", "one picture of each group"],
    ],
  ],
  [
    "On a picture",
    [
      ["← ↑ → ↓", "move; past the last row: more"],
      ["Enter", "open it"],
      ["g", "good example"],
      ["b", "bad example"],
      ["x", "hide it"],
      ["v", "hide all of its group"],
      ["s", "pictures like it"],
      ["p", "pictures from near its place"],
    ],
  ],
  [
    "In an opened picture",
    [
      ["← →", "the hit before, after"],
      [", .", "what stands before, after it in its group"],
      ["u y", "undo, redo"],
      ["Esc", "close"],
    ],
  ],
  [
    "The sitting",
    [
      ["e", "all that is shown has been seen"],
      ["u", "undo"],
      ["y", "redo"],
      ["h", "history"],
      ["t", "together"],
      ["?", "these keys"],
    ],
  ],
];

export function KeysDialog({ onClose }: { onClose: () => void }): VNode {
  return (
    <Modal label="Keys" class="keys" onClose={onClose} testid="keys-dialog">
      <div class="dialog-head">
        <h2>Keys</h2>
        <button type="button" class="round" aria-label="Close" onClick={onClose} data-first>
          <Icon name="close" />
        </button>
      </div>
      <div class="keys-groups">
        {GROUPS.map(([name, rows]) => (
          <section key={name}>
            <h3>{name}</h3>
            <dl>
              {rows.map((row) => (
                <Keys key={row[0]} row={row} />
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Modal>
  );
}

function Keys({ row: [keys, what] }: { row: Row }): VNode {
  return (
    <div>
      <dt>
        {keys.split(" ").map((key) => (
          <kbd key={key}>{key}</kbd>
        ))}
      </dt>
      <dd>{what}</dd>
    </div>
  );
}
