/** Searching together: the link to join, and who takes part. */

import type { VNode } from "preact";
import { useState } from "preact/hooks";

import type { SessionView } from "../client/contract.ts";
import { Icon } from "../ui/icons.tsx";
import { Modal } from "../ui/modal.tsx";
import { joinAddress } from "./joining.tsx";
import type { Keeping } from "./use-kept.ts";

/** Who uses the team's session itself has no name in it. */
export const HOST = "Host";

/** Another one of the team, by name; null for oneself, and where there is no team. */
export function otherIn(view: SessionView | null, by: string | null): string | null {
  if (view === null || view.members.length === 0 || by === view.member) return null;
  return by ?? HOST;
}

export interface TeamDialogProps {
  kept: Keeping;
  collection: string | null;
  onClose: () => void;
}

export function TeamDialog({ kept, collection, onClose }: TeamDialogProps): VNode {
  const { view, session } = kept;
  const team = view?.team ?? session;
  const names = [HOST, ...(view?.members ?? [])];
  const me = view?.member ?? HOST;
  const leave = (): void => {
    kept.enter(null);
    onClose();
  };
  return (
    <Modal label="Search together" class="team" onClose={onClose} testid="team-dialog">
      <div class="dialog-head">
        <h2>Search together</h2>
        <button type="button" class="round" aria-label="Close" onClick={onClose} data-first>
          <Icon name="close" />
        </button>
      </div>
      <p>Who opens this link shares the marks, the hidden and the seen pictures of this sitting, and its history.</p>
      {team !== null && <Link address={new URL(joinAddress(team, collection), location.href).href} />}
      <ul class="members" role="list" data-testid="members">
        {names.map((name) => (
          <li key={name}>
            {name}
            {name === me && <span class="soft"> (you)</span>}
          </li>
        ))}
      </ul>
      <div class="actions">
        <button type="button" class="quiet" onClick={leave} data-testid="leave">
          {leavingOf(names)}
        </button>
      </div>
    </Modal>
  );
}

const leavingOf = ({ length }: readonly string[]): string => (length > 1 ? "Leave, and begin a sitting of your own" : "Begin a new sitting");

function Link({ address }: { address: string }): VNode {
  const [copied, setCopied] = useState(false);
  // Without a secure context there is no clipboard: the field can be copied from.
  const copy = (): void => {
    const { clipboard } = navigator as { clipboard?: Clipboard };
    void clipboard?.writeText(address).then(() => setCopied(true), () => undefined);
  };
  return (
    <div class="join-link">
      <input type="text" readOnly aria-label="Link to join" value={address} onFocus={(event) => event.currentTarget.select()} data-testid="join-link" />
      <button type="button" onClick={copy} data-testid="copy-link">
        {copied ? "Copied" : "Copy"}
      </button>
    </div>
  );
}
