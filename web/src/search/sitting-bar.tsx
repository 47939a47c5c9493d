/** The sitting as a whole: the way back, what was asked, and who else takes part. */

import type { VNode } from "preact";
import { useState } from "preact/hooks";

import { HistoryDialog } from "./history.tsx";
import { Joining } from "./joining.tsx";
import { KeysDialog } from "./keys.tsx";
import { TeamDialog } from "./team.tsx";
import { useKeys } from "./use-keys.ts";
import type { Travel } from "./use-place.ts";
import type { Sitting } from "./use-sitting.ts";

export type Dialog = "history" | "team" | "keys";

export function SittingBar({ sitting, onOpen }: { sitting: Sitting; onOpen: (dialog: Dialog) => void }): VNode {
  const members = sitting.kept.view?.members.length ?? 0;
  return (
    <div class="sitting-bar" role="toolbar" aria-label="This sitting">
      <button type="button" class="quiet" onClick={sitting.undo} title="Take the last step back: u" data-testid="undo">
        Undo
      </button>
      <button type="button" class="quiet folds" onClick={sitting.redo} title="Do it again: y" data-testid="redo">
        Redo
      </button>
      <button type="button" class="quiet folds" onClick={() => onOpen("history")} title="What was asked: h" data-testid="history">
        History
      </button>
      <button type="button" class="quiet folds" onClick={() => onOpen("team")} title={`Search together${members > 0 ? `: ${members + 1} people` : ""} (t)`} data-testid="team">
        Together{members > 0 && ` (${members + 1})`}
      </button>
      <button type="button" class="quiet wide-only" onClick={() => onOpen("keys")} title="All keys: ?" data-testid="keys">
        Keys
      </button>
    </div>
  );
}

/** They and their keys are there whatever stands on the page; returns how to open one. */
export function useDialogs(sitting: Sitting, travel: Travel, collection: string | null): [VNode, (dialog: Dialog) => void] {
  const [opened, open] = useState<Dialog | null>(null);
  const close = (): void => open(null);
  useKeys({ u: sitting.undo, y: sitting.redo, h: () => open("history"), t: () => open("team"), "?": () => open("keys") });
  const dialogs = (
    <>
      {opened === "keys" && <KeysDialog onClose={close} />}
      {opened === "history" && <HistoryDialog sitting={sitting} travel={travel} onClose={close} />}
      {opened === "team" && <TeamDialog kept={sitting.kept} collection={collection} onClose={close} />}
      <Joining kept={sitting.kept} />
    </>
  );
  return [dialogs, open];
}
