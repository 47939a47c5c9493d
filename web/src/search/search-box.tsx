/** Where one says what to look for: words, a stored picture, a picture of one's own, and in which collection. */

import type { ComponentChildren, VNode } from "preact";

import { Icon } from "../ui/icons.tsx";
import { pictureIn } from "./picture-query.ts";
import { reach, useField } from "./use-field.ts";
import { useKeys } from "./use-keys.ts";

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
  const { input, typed, type, tell, bound } = useField({ text, onType, onLeave, onDown });
  useKeys({ "/": () => reach(input.current) });
  const submit = (event: Event): void => {
    event.preventDefault();
    onEnter(tell());
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
        autocapitalize="off"
        enterkeyhint="search"
        {...bound}
        onPaste={paste}
        data-testid="query"
      />
      {typed === "" ? <kbd class="wide-only" title="Press / to come here">/</kbd> : <Clear onClear={() => type("")} />}
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
