/** What stands on the page before there is anything to show. */

import type { VNode } from "preact";

import type { Collection } from "../client/contract.ts";
import { plural } from "../ui/format.ts";
import { Notice } from "../ui/notice.tsx";

const SAMPLE = "pictograms";
const IDEAS = ["cat", "red fruit", "happy face", "musical instrument"];

export function Start({ collection, onIdea }: { collection: Collection | null; onIdea: (text: string) => void }): VNode {
  return (
    <div class="start" data-testid="start">
      <p>
        {collection === null ? "Describe" : `${plural(collection.count, "picture")} in ${collection.name}. Describe`} what
        you are looking for, or drop or paste a picture here to find others like it.
      </p>
      {collection?.name === SAMPLE && (
        <p class="ideas">
          {IDEAS.map((idea) => (
            <button key={idea} type="button" class="idea" onClick={() => onIdea(idea)}>
              {idea}
            </button>
          ))}
        </p>
      )}
    </div>
  );
}

export function NoCollections({ onReload }: { onReload: () => void }): VNode {
  return (
    <Notice icon="picture" title="There are no pictures yet" testid="no-collections">
      <p>Put a folder of them into a collection, from a terminal on a machine that has the pictures:</p>
      <pre>
        <code>clipline ingest ~/Pictures --collection pictures</code>
      </pre>
      <button type="button" onClick={onReload}>
        Look again
      </button>
    </Notice>
  );
}
