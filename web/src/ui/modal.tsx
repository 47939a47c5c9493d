/** The browser's own modal dialog: it traps the focus, closes on Escape and gives the focus back.
 * What carries `data-first` has the focus at first. */

import type { ComponentChildren, RefObject, VNode } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

export interface ModalProps {
  label: string;
  onClose: () => void;
  children: ComponentChildren;
  class?: string;
  onKeyDown?: (event: KeyboardEvent) => void;
  testid?: string;
}

export function Modal({ label, onClose, children, class: name = "", onKeyDown, testid }: ModalProps): VNode {
  const dialog = useRef<HTMLDialogElement>(null);
  // At once: the next key is meant for it.
  useLayoutEffect(() => {
    const [opened, before] = [dialog.current, document.activeElement];
    opened?.showModal();
    focusFirst(opened);
    return () => {
      opened?.close();
      // The browser gives it back itself only when it closes the dialog, not when that is taken away.
      if (document.activeElement === document.body && before instanceof HTMLElement) before.focus({ preventScroll: true });
    };
  }, []);
  useLayoutEffect(() => {
    // What had the focus is gone with what was shown: keys pressed next must still be heard here.
    if (dialog.current?.open && document.activeElement === document.body) focusFirst(dialog.current);
  });
  useListener(dialog, "click", (event) => event.target === dialog.current && onClose());
  useListener(dialog, "keydown", (event) => onKeyDown?.(event));
  return (
    <dialog ref={dialog} class={`modal ${name}`} aria-label={label} onClose={onClose} data-testid={testid}>
      <div class="modal-body">{children}</div>
    </dialog>
  );
}

function focusFirst(opened: HTMLElement | null): void {
  opened?.querySelector<HTMLElement>("[data-first]")?.focus();
}

/** Outside the markup: a dialog is no control, but it hears what happens in it and on its backdrop. */
function useListener<K extends "click" | "keydown">(
  target: RefObject<HTMLElement | null>,
  name: K,
  listener: (event: HTMLElementEventMap[K]) => void,
): void {
  // At once: a key that is pressed as soon as something is seen must not be heard by what was shown before it.
  useLayoutEffect(() => {
    const element = target.current;
    element?.addEventListener(name, listener);
    return () => element?.removeEventListener(name, listener);
  }, [target, name, listener]);
}
