/** One picture, large, with what is known of it. */

import type { VNode } from "preact";

import type { Hit, Payload } from "../client/contract.ts";
import { age, nameOf, plain, score } from "../ui/format.ts";
import { Icon } from "../ui/icons.tsx";
import { Modal } from "../ui/modal.tsx";
import { Picture } from "../ui/picture.tsx";
import type { Marked } from "./grid.tsx";
import { keysOf, MarkButtons } from "./grid.tsx";
import { clock, momentOf } from "./moment.ts";
import { Strip } from "./strip.tsx";
import { isPlain } from "./use-keys.ts";

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
  const name = nameOf(hit.id, hit.payload, hit.source);
  const keys = (event: KeyboardEvent): void => {
    if (event.key === "ArrowLeft") onPrevious?.();
    if (event.key === "ArrowRight") onNext?.();
    if (isPlain(event)) keysOf(marked, hit)[event.key]?.();
  };
  return (
    <Modal label={name} class="viewer" onClose={onClose} onKeyDown={keys} testid="viewer">
      <div class="viewer-stage">
        <Picture key={hit.id} collection={collection} id={hit.id} size="full" alt={name} />
        <Step side="previous" onStep={onPrevious} />
        <Step side="next" onStep={onNext} />
      </div>
      <div class="viewer-side">
        <div class="viewer-head">
          <h2>{name}</h2>
          <button type="button" class="round" aria-label="Close" onClick={onClose} data-first data-testid="viewer-close">
            <Icon name="close" />
          </button>
        </div>
        <div class="viewer-acts">
          <button type="button" class="primary" onClick={() => marked.similar(hit)} data-testid="find-similar">
            <Icon name="similar" />
            Find similar
          </button>
          <MarkButtons hit={hit} name={name} mark={marked.of(hit)?.mark ?? null} reachable onMark={marked.mark} />
          {grouped && (
            <button type="button" onClick={() => marked.hideGroup(hit)} data-testid="hide-group">
              Hide its group
            </button>
          )}
        </div>
        <When payload={hit.payload} />
        {grouped && <Strip collection={collection} id={hit.id} onSimilar={(item) => marked.similar({ ...item, score: hit.score })} />}
        <Facts hit={hit} />
      </div>
    </Modal>
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

function Facts({ hit }: { hit: Hit }): VNode {
  return (
    <dl class="facts" data-testid="payload">
      <Fact name="similarity" value={score(hit.score)} />
      {factsOf(hit.payload ?? {}).map(([name, value]) => (
        <Fact key={name} name={name} value={value} />
      ))}
      <Fact name="id" value={String(hit.id)} />
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
  return facts.map(([name, value]): [string, string] => [name, plain(value)]).filter(([, value]) => value !== "");
}
