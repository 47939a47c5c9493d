/** Words as they are typed, told onwards when it is worth it. */

import { useEffect, useRef, useState } from "preact/hooks";

/** Long enough to skip the letters of a fast typist, short enough to feel immediate. */
const SETTLE_MS = 90;

/** What stands in the box, told onwards once the typing pauses. */
export function useTyping(text: string, onType: (text: string) => void): [string, (text: string) => void, () => void] {
  const [typed, setTyped] = useState(text);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const tell = useRef(onType);
  useEffect(() => void (tell.current = onType), [onType]);
  useEffect(() => {
    clearTimeout(timer.current);
    // What came back trimmed is what was typed: leave the space for the next word.
    setTyped((now) => (now.trim() === text.trim() ? now : text));
  }, [text]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const type = (next: string): void => {
    setTyped(next);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => tell.current(next), SETTLE_MS);
  };
  return [typed, type, () => clearTimeout(timer.current)];
}
