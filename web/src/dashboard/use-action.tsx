/** Every action asks first, says what it did, and says why when it could not. */

import type { VNode } from "preact";
import { createContext } from "preact";
import { useCallback, useContext, useState } from "preact/hooks";

import type { Caller, Problem } from "../client/contract.ts";
import { problemOf } from "../client/problem.ts";
import { Modal } from "../ui/modal.tsx";

export interface Action {
  title: string;
  text: string;
  verb: string;
  danger?: boolean;
  /** Returns what was done, in words. */
  act: (told: (progress: string) => void) => Promise<string>;
}

export interface Actions {
  ask: (action: Action) => void;
  may: boolean;
}

export const ActionsOf = createContext<Actions>({ ask: () => undefined, may: false });

export const useActions = (): Actions => useContext(ActionsOf);

export interface Asking {
  actions: Actions;
  dialog: VNode | null;
  said: string;
}

export function useAsking(caller: Caller | null): Asking {
  const [action, setAction] = useState<Action | null>(null);
  const [said, setSaid] = useState("");
  const close = useCallback(() => setAction(null), []);
  const done = (text: string): void => {
    setSaid(text);
    setAction(null);
  };
  const dialog = action === null ? null : <Confirm action={action} onDone={done} onClose={close} />;
  return { actions: { ask: setAction, may: caller?.may_control ?? false }, dialog, said };
}

interface ConfirmProps {
  action: Action;
  onDone: (said: string) => void;
  onClose: () => void;
}

function Confirm({ action, onDone, onClose }: ConfirmProps): VNode {
  const [problem, setProblem] = useState<Problem | null>(null);
  const [progress, setProgress] = useState<string | null>(null);
  const act = (): void => {
    setProgress("Working…");
    setProblem(null);
    action.act(setProgress).then(onDone, (error: unknown) => {
      setProblem(problemOf(error));
      setProgress(null);
    });
  };
  return (
    <Modal label={action.title} class="confirm" onClose={onClose} testid="confirm">
      <h2>{action.title}</h2>
      <p>{action.text}</p>
      {problem !== null && (
        <p class="bad" role="alert" data-testid="confirm-problem">
          {problem.title}
          {problem.detail && problem.detail !== problem.title ? `: ${problem.detail}` : ""}
        </p>
      )}
      <div class="actions">
        {progress !== null && <span role="status" class="soft">{progress}</span>}
        <button type="button" class="quiet" onClick={onClose} data-first>
          Not now
        </button>
        <button
          type="button"
          class={action.danger === true ? "danger" : "primary"}
          disabled={progress !== null}
          onClick={act}
          data-testid="confirm-yes"
        >
          {action.verb}
        </button>
      </div>
    </Modal>
  );
}
