/** What is asked: words, pictures, examples, what comes after it; and whether more than that is shown. */

import type { VNode } from "preact";

import type { Collection } from "../client/contract.ts";
import { Icon } from "../ui/icons.tsx";
import { ExamplesChip, ItemChip, PictureChip } from "./chips.tsx";
import { enterGrid } from "./grid-focus.ts";
import type { Pictured } from "./marks.ts";
import { SearchBox } from "./search-box.tsx";
import { hasTimes, ThenLines } from "./then-line.tsx";
import type { OwnPicture } from "./use-own-picture.ts";
import type { Travel } from "./use-place.ts";

export interface AskProps {
  travel: Travel;
  own: OwnPicture;
  known: Pictured | null;
  collection: string | null;
  busy: boolean;
  onAgain: () => void;
}

export function Ask({ travel: { place, drift, go, settle }, own, known, collection, busy, onAgain }: AskProps): VNode {
  const examples = place.good.length + place.bad.length;
  const enter = (text: string): void => {
    if (text.trim() === place.text.trim()) onAgain();
    drift({ text });
    settle();
  };
  return (
    <SearchBox
      text={place.text}
      busy={busy}
      hasParts={own.picture !== null || place.item !== null || examples > 0}
      onType={(text) => drift({ text })}
      onEnter={enter}
      onLeave={settle}
      onDown={enterGrid}
      onPicture={own.take}
    >
      {own.picture !== null && <PictureChip {...own.picture} onRemove={() => go({ pic: null })} />}
      {examples > 0 && (
        <ExamplesChip good={place.good.length} bad={place.bad.length} onRemove={() => go({ good: [], bad: [] })} />
      )}
      {place.item !== null && collection !== null && (
        <ItemChip collection={collection} id={place.item} known={known} onRemove={() => go({ item: null })} />
      )}
    </SearchBox>
  );
}

/** Only where items have times. */
export function Then({ travel: { place, drift, settle }, facts }: { travel: Travel; facts: Collection | null }): VNode | null {
  if (facts === null || !hasTimes(facts)) return null;
  return (
    <ThenLines
      steps={place.then}
      onSteps={(then) => drift({ then })}
      onLeave={settle}
      onDown={enterGrid}
    />
  );
}

/** Where there is room for all of it, there is no such button. */
export function Fold({ open, onToggle }: { open: boolean; onToggle: () => void }): VNode {
  return (
    <button type="button" class="round fold" aria-expanded={open} aria-label="More controls" onClick={onToggle} data-testid="fold">
      <Icon name="controls" />
    </button>
  );
}
