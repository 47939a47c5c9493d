/** Where one says what to look for: words, a stored picture, a picture of one's own, and in which collection. */

import type { ComponentChildren, VNode } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

import { Icon } from "../ui/icons.tsx";
import { MAX_TEXT } from "./address.ts";
import { pictureIn } from "./picture-query.ts";
import { isElsewhere, isPlain } from "./use-keys.ts";
import { useTyping } from "./use-typing.ts";

export interface SearchBoxProps {
  text: string;
  busy: boolean;
  hasParts: boolean;
  /** What else the query holds, as chips before the words. */
  children?: ComponentChildren;
  onType: (text: string) => void;
  onEnter: (text: string) => void;
  onLeave: () => void;
  onDown: () => void;
  onPicture: (file: File) => void;
}

export function SearchBox(props: SearchBoxProps): VNode {
  const { text, busy, hasParts, children, onType, onEnter, onLeave, onDown, onPicture } = props;
  const input = useRef<HTMLInputElement>(null);
  const [typed, setTyped, flush] = useTyping(text, onType);
  useSlash(input);
  const submit = (event: Event): void => {
    event.preventDefault();
    flush();
    onEnter(typed);
  };
  const keys = (event: KeyboardEvent): void => {
    if (event.key === "ArrowDown") onDown();
    else if (event.key === "Escape" && typed !== "") setTyped("");
    else return;
    event.preventDefault();
  };
  const paste = (event: ClipboardEvent): void => {
    const file = pictureIn(event.clipboardData);
    if (file === null) return;
    event.preventDefault();
    onPicture(file);
  };
  return (
    <form class={busy ? "box busy" : "box"} role="search" onSubmit={submit}>
      <Icon name="search" />
      {children}
      <input
        ref={input}
        id="query"
        type="search"
        aria-label="What to look for"
        placeholder={hasParts ? "Add words" : "Describe a picture"}
        autocomplete="off"
        autocapitalize="off"
        enterkeyhint="search"
        maxLength={MAX_TEXT}
        value={typed}
        onInput={(event) => setTyped(event.currentTarget.value)}
        onKeyDown={keys}
        onPaste={paste}
        onBlur={onLeave}
        data-testid="query"
      />
      {typed === "" ? <kbd class="wide-only" title="Press / to come here">/</kbd> : <Clear onClear={() => setTyped("")} />}
      <ChoosePicture onPicture={onPicture} />
    </form>
  );
}

function Clear({ onClear }: { onClear: () => void }): VNode {
  const clear = (): void => {
    onClear();
    document.getElementById("query")?.focus();
  };
  return (
    <button type="button" class="round" aria-label="Clear the words" onClick={clear}>
      <Icon name="close" />
    </button>
  );
}

function ChoosePicture({ onPicture }: { onPicture: (file: File) => void }): VNode {
  const choose = (event: { currentTarget: HTMLInputElement }): void => {
    const [file] = event.currentTarget.files ?? [];
    if (file) onPicture(file);
    event.currentTarget.value = "";
  };
  return (
    <label class="round" title="Search with a picture: choose, drop or paste one">
      <Icon name="picture" />
      <input class="hidden" type="file" accept="image/*" aria-label="Search with a picture" onChange={choose} />
    </label>
  );
}

/** "/" brings the focus here from anywhere but another field; before the first paint, so whoever sees the field has the key. */
function useSlash(input: { current: HTMLInputElement | null }): void {
  useLayoutEffect(() => {
    const come = (event: KeyboardEvent): void => {
      if (event.key !== "/" || !isPlain(event) || isElsewhere(event.target)) return;
      event.preventDefault();
      input.current?.focus();
      input.current?.select();
    };
    addEventListener("keydown", come);
    return () => removeEventListener("keydown", come);
  }, [input]);
}
