/** What this sitting asked, newest first; each can be asked again. */

import type { VNode } from "preact";
import { useContext, useEffect, useState } from "preact/hooks";

import type { PastSearch, Problem } from "../client/contract.ts";
import { problemOf } from "../client/problem.ts";
import { ago, count } from "../ui/format.ts";
import { Icon } from "../ui/icons.tsx";
import { Modal } from "../ui/modal.tsx";
import { Failure } from "../ui/notice.tsx";
import { Media } from "../ui/picture.tsx";
import { writePlace } from "./address.ts";
import { placeOf, wordsOf } from "./past.ts";
import { otherIn } from "./team.tsx";
import type { Travel } from "./use-place.ts";
import type { Sitting } from "./use-sitting.ts";

const MOST = 100;

export interface HistoryDialogProps {
  sitting: Sitting;
  travel: Travel;
  onClose: () => void;
}

export function HistoryDialog({ sitting, travel, onClose }: HistoryDialogProps): VNode {
  const [past, problem] = usePast(sitting.kept.session);
  const { held } = sitting.kept;
  const again = (one: PastSearch): void => {
    sitting.note(`back to ${wordsOf(one)}`);
    travel.go(placeOf(one));
    onClose();
  };
  return (
    <Modal label="History" class="history" onClose={onClose} testid="history-dialog">
      <div class="dialog-head">
        <h2>History</h2>
        <button type="button" class="round" aria-label="Close" onClick={onClose} data-first>
          <Icon name="close" />
        </button>
      </div>
      <p class="soft" data-testid="counts">
        {count(held.positive.size)} good, {count(held.negative.size)} bad, {count(held.exclude.size + held.exclude_groups.size)} hidden,{" "}
        {count(held.seen.size)} seen.{" "}
        <button type="button" class="link" disabled={held.positive.size + held.negative.size === 0} onClick={sitting.forget} data-testid="forget">
          Forget the examples
        </button>
      </p>
      {problem !== null && <Failure problem={problem} />}
      {past?.length === 0 && <p class="soft">Nothing was asked yet.</p>}
      <ul class="past" role="list">
        {past?.map((one) => <Past key={one.job} one={one} by={otherIn(sitting.kept.view, one.by)} onAgain={() => again(one)} />)}
      </ul>
    </Modal>
  );
}

function Past({ one, by, onAgain }: { one: PastSearch; by: string | null; onAgain: () => void }): VNode {
  const words = wordsOf(one);
  const told = (
    <>
      <span class="past-words">{words}</span>
      <span class="soft">
        {by !== null && `${by}, `}
        {ago(one.at, Date.now())}
      </span>
    </>
  );
  const asked = (event: MouseEvent): void => {
    // Another button or key opens the address in another tab, as of any link.
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    onAgain();
  };
  return (
    <li>
      {one.search === null ? (
        <span class="past-row">{told}</span>
      ) : (
        <a class="past-row" href={writePlace(placeOf(one))} onClick={asked} data-testid="past">
          {told}
        </a>
      )}
    </li>
  );
}

function usePast(session: string | null): [PastSearch[] | null, Problem | null] {
  const { http } = useContext(Media);
  const [past, setPast] = useState<PastSearch[] | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  useEffect(() => {
    if (session === null) return undefined;
    const gone = new AbortController();
    http.sessions.history(session, MOST, gone.signal).then(setPast, (error: unknown) => {
      if (!gone.signal.aborted) setProblem(problemOf(error));
    });
    return () => gone.abort();
  }, [http, session]);
  return [past, problem];
}
