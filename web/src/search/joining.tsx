/** A link to a sitting asks for a name, and then one is part of it. */

import type { VNode } from "preact";
import { useContext, useState } from "preact/hooks";

import type { Problem } from "../client/contract.ts";
import { problemOf } from "../client/problem.ts";
import { Modal } from "../ui/modal.tsx";
import { Media } from "../ui/picture.tsx";
import type { Keeping } from "./use-kept.ts";

const PARAMETER = "join";
const MAX_NAME = 64;

/** It leads to where the others are. */
export function joinAddress(team: string, collection: string | null): string {
  return `?${new URLSearchParams({ ...(collection !== null && { c: collection }), [PARAMETER]: team }).toString()}`;
}

export function Joining({ kept }: { kept: Keeping }): VNode | null {
  const { http } = useContext(Media);
  const [team, setTeam] = useState(() => new URLSearchParams(location.search).get(PARAMETER));
  const [name, setName] = useState("");
  const [problem, setProblem] = useState<Problem | null>(null);
  if (team === null) return null;
  const leave = (): void => {
    const rest = new URLSearchParams(location.search);
    rest.delete(PARAMETER);
    history.replaceState(null, "", rest.size === 0 ? "./" : `?${rest.toString()}`);
    setTeam(null);
  };
  const join = (event: SubmitEvent): void => {
    event.preventDefault();
    const joined = http.sessions.join(team, name.trim());
    joined.then(
      ({ session }) => {
        kept.enter(session);
        leave();
      },
      (error: unknown) => setProblem(problemOf(error)),
    );
  };
  return (
    <Modal label="Join a sitting" class="key-dialog" onClose={leave} testid="join-dialog">
      <form onSubmit={join}>
        <h2>Join a sitting</h2>
        <p>You will share its marks, its hidden and seen pictures and its history. Others see which marks are yours.</p>
        {problem !== null && (
          <p class="bad" role="alert">
            {problem.status === 404 ? "This sitting is over, or of other people." : problem.title}
          </p>
        )}
        <label>
          Your name
          <input
            data-first
            type="text"
            autocomplete="nickname"
            maxLength={MAX_NAME}
            value={name}
            onInput={(event) => setName(event.currentTarget.value)}
            data-testid="join-name"
          />
        </label>
        <div class="actions">
          <button type="button" class="quiet" onClick={leave}>
            Not now
          </button>
          <button type="submit" class="primary" disabled={name.trim() === ""} data-testid="join-submit">
            Join
          </button>
        </div>
      </form>
    </Modal>
  );
}
