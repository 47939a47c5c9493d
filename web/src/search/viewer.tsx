/** One picture, large, with what is known of it. */

import type { VNode } from "preact";
import { useState } from "preact/hooks";

import type { Hit, Item, Payload } from "../client/contract.ts";
import { age, nameOf, plain, score } from "../ui/format.ts";
import { Icon } from "../ui/icons.tsx";
import { Modal } from "../ui/modal.tsx";
import { Picture } from "../ui/picture.tsx";
import { pointsOf } from "./areas.ts";
import { writePoint } from "./coordinates.ts";
import type { Marked } from "./grid.tsx";
import { keysOf, MarkButtons } from "./grid.tsx";
import type { Pictured } from "./marks.ts";
import { clock, momentOf } from "./moment.ts";
import { Strip, useStrip } from "./strip.tsx";
import { isPlain, isPressed } from "./use-keys.ts";

export interface ViewerProps {
  collection: string;
  hit: Hit;
  /** Whether pictures of it stand in groups. */
  grouped: boolean;
  marked: Marked;
  /** Undefined where there is none before, or after. */
  onPrevious?: (() => void) | undefined;
  onNext?: (() => void) | undefined;
  onClose: () => void;
}

export function Viewer({ collection, hit, grouped, marked, onPrevious, onNext, onClose }: ViewerProps): VNode {
  const [shown, open] = useBeside(hit);
  const around = useStrip(collection, shown.id, grouped);
  const name = nameOf(shown.id, shown.payload, shown.source);
  const keys = (event: KeyboardEvent): void => {
    if (event.key === "ArrowLeft") onPrevious?.();
    if (event.key === "ArrowRight") onNext?.();
    const acts = isPressed(event) ? { ...keysOf(marked, shown), ...wayBack(marked) } : {};
    if (isPlain(event)) ({ ...acts, ...walkOf(around, shown, open) })[event.key]?.();
  };
  return (
    <Modal label={name} class="viewer" onClose={onClose} onKeyDown={keys} testid="viewer">
      <div class="viewer-stage">
        <Picture key={shown.id} collection={collection} id={shown.id} size="full" alt={name} />
        <Step side="previous" onStep={onPrevious} />
        <Step side="next" onStep={onNext} />
        {grouped && <Strip collection={collection} items={around} id={shown.id} found={hit.id} of={marked.of} onOpen={open} />}
      </div>
      <div class="viewer-side">
        <div class="viewer-head">
          <h2>{name}</h2>
          <button type="button" class="round" aria-label="Close" onClick={onClose} data-first data-testid="viewer-close">
            <Icon name="close" />
          </button>
        </div>
        <Acts shown={shown} name={name} grouped={grouped} marked={marked} />
        <When payload={shown.payload} />
        <Facts shown={shown} score={shown.id === hit.id ? hit.score : null} />
      </div>
    </Modal>
  );
}

/** In the grid they are the page's. */
const wayBack = ({ undo, redo }: Marked): Readonly<Record<string, () => void>> => ({ u: undo, y: redo });

/** A neighbour that is looked at in place of the hit, until another hit is opened. */
function useBeside(hit: Hit): [Pictured, (item: Pictured) => void] {
  const [beside, setBeside] = useState<{ of: number; item: Pictured } | null>(null);
  return [beside?.of === hit.id ? beside.item : hit, (item) => setBeside({ of: hit.id, item })];
}

/** The keys that lead along the strip. */
function walkOf(around: readonly Item[], shown: Pictured, open: (item: Pictured) => void): Readonly<Record<string, () => void>> {
  const place = around.findIndex(({ id }) => id === shown.id);
  const to = (item: Item | undefined) => () => item && open(item);
  return place === -1 ? {} : { ",": to(around[place - 1]), ".": to(around[place + 1]) };
}

interface ActsProps {
  shown: Pictured;
  name: string;
  grouped: boolean;
  marked: Marked;
}

function Acts({ shown, name, grouped, marked }: ActsProps): VNode {
  return (
    <div class="viewer-acts">
      <button type="button" class="primary" onClick={() => marked.similar(shown)} title="Pictures like this one: s" data-testid="find-similar">
        <Icon name="similar" />
        Find similar
      </button>
      <MarkButtons hit={shown} name={name} mark={marked.of(shown)?.mark ?? null} reachable onMark={marked.mark} />
      {marked.placed(shown) && (
        <button type="button" onClick={() => marked.near(shown)} title="Pictures from near this place: p" data-testid="find-near">
          <Icon name="place" />
          Near here
        </button>
      )}
      {grouped && (
        <button type="button" aria-pressed={marked.withGroup(shown)} onClick={() => marked.hideGroup(shown)} title="All of its group: v" data-testid="hide-group">
          Hide its group
        </button>
      )}
    </div>
  );
}

function Step({ side, onStep }: { side: "previous" | "next"; onStep: (() => void) | undefined }): VNode | null {
  if (onStep === undefined) return null;
  return (
    <button type="button" class={`round step step-${side}`} aria-label={`The ${side} picture`} onClick={onStep}>
      <Icon name={side} />
    </button>
  );
}

/** The piece of the video that it stands for. */
function When({ payload }: { payload: Payload | undefined }): VNode | null {
  const moment = momentOf(payload);
  if (moment === null) return null;
  const { startS, endS } = moment;
  return (
    <p class="moment" data-testid="moment">
      <span class="stamp">
        {clock(startS, { tenths: true })} – {clock(endS, { tenths: true })}
      </span>
      <span class="soft"> · {age(endS - startS)} long</span>
    </p>
  );
}

/** How similar it is where it was found, not beside it. */
function Facts({ shown, score: its }: { shown: Pictured; score: number | null }): VNode {
  return (
    <dl class="facts" data-testid="payload">
      {its !== null && <Fact name="similarity" value={score(its)} />}
      {factsOf(shown.payload ?? {}).map(([name, value]) => (
        <Fact key={name} name={name} value={value} />
      ))}
      <Fact name="id" value={String(shown.id)} />
    </dl>
  );
}

function Fact({ name, value }: { name: string; value: string }): VNode {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

/** The label is the title already. */
function factsOf(payload: Payload): [string, string][] {
  const facts = Object.entries(payload).filter(([name]) => name !== "label");
  return facts.map(([name, value]): [string, string] => [name, placesIn(payload, name) || plain(value)]).filter(([, value]) => value !== "");
}

/** As they are typed; empty for what is no place. */
const placesIn = (payload: Payload, field: string): string => pointsOf(payload, field).map(writePoint).join("; ");
