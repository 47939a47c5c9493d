/** Asks for an API key when the API wants one. */

import type { VNode } from "preact";
import { useState } from "preact/hooks";

import { Modal } from "./modal.tsx";

export interface KeyDialogProps {
  /** A key was given and turned away. */
  wrong: boolean;
  onKey: (key: string) => void;
  onClose: () => void;
}

export function KeyDialog({ wrong, onKey, onClose }: KeyDialogProps): VNode {
  const [key, setKey] = useState("");
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    if (key.trim() !== "") onKey(key.trim());
  };
  return (
    <Modal label="API key" class="key-dialog" onClose={onClose} testid="key-dialog">
      <form onSubmit={submit}>
        <h2>An API key is needed</h2>
        <p>This Clipline answers to people with a key. It stays in this tab alone and is gone when you close it.</p>
        {wrong && <p class="bad" role="alert">That key is not known here.</p>}
        <label>
          Key
          <input
          data-first
          type="password"
          autocomplete="off"
          spellcheck={false}
          value={key}
          onInput={(event) => setKey(event.currentTarget.value)}
          data-testid="key-input"
          />
        </label>
        <div class="actions">
          <button type="button" class="quiet" onClick={onClose}>
            Not now
          </button>
          <button type="submit" class="primary" disabled={key.trim() === ""} data-testid="key-submit">
            Continue
          </button>
        </div>
      </form>
    </Modal>
  );
}
