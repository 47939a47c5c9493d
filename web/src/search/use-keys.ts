/** Single keys for what concerns the whole search, from anywhere but a field and a dialog. */

import { useLayoutEffect, useRef } from "preact/hooks";

export type Keys = Readonly<Record<string, () => void>>;

export function useKeys(keys: Keys): void {
  const now = useRef(keys);
  useLayoutEffect(() => void (now.current = keys), [keys]);
  // Before the first paint: whoever sees the page has its keys.
  useLayoutEffect(() => {
    const press = (event: KeyboardEvent): void => {
      // What was heard nearer by, as the arrows in the grid, is done.
      const ours = !event.defaultPrevented && isPressed(event) && !isElsewhere(event.target);
      const act = ours ? now.current[event.key] : undefined;
      if (act === undefined) return;
      event.preventDefault();
      act();
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, []);
}

export const isPlain = ({ ctrlKey, metaKey, altKey }: KeyboardEvent): boolean => !ctrlKey && !metaKey && !altKey;

/** Once: a key that is held down would take back what it did, and do it again. */
export const isPressed = (event: KeyboardEvent): boolean => isPlain(event) && !event.repeat;

export const isElsewhere = (target: EventTarget | null): boolean =>
  target instanceof Element && target.closest("input, textarea, select, dialog") !== null;
