/** Words as they are typed, told onwards when it is worth it. */

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

/** Long enough to skip the letters of a fast typist, short enough to feel immediate. */
const SETTLE_MS = 90;

export interface Typing {
  typed: string;
  /** It is typed, and told onwards once the typing pauses. */
  type: (text: string) => void;
  /** It is told onwards now, unless it was. */
  tell: (text: string) => void;
}

export function useTyping(text: string, onType: (text: string) => void): Typing {
  const [typed, setTyped] = useState(text);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const told = useRef(text);
  const onwards = useRef(onType);
  useLayoutEffect(() => void (onwards.current = onType), [onType]);
  useLayoutEffect(() => {
    // What was told comes back, perhaps trimmed: what has been typed since then stays.
    if (text.trim() === told.current.trim()) return;
    clearTimeout(timer.current);
    told.current = text;
    setTyped(text);
  }, [text]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const tell = (next: string): void => {
    clearTimeout(timer.current);
    if (next.trim() === told.current.trim()) return;
    told.current = next;
    onwards.current(next);
  };
  const type = (next: string): void => {
    setTyped(next);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => tell(next), SETTLE_MS);
  };
  return { typed, type, tell };
}
