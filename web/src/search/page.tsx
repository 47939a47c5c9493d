/** The search page, put together. */

import type { VNode } from "preact";
import { useCallback, useEffect, useMemo, useState } from "preact/hooks";

import type { Hit, Problem } from "../client/contract.ts";
import { HttpClient } from "../client/http.ts";
import type { LiveClient } from "../client/live.ts";
import type { Access } from "../ui/access.ts";
import { useAccess } from "../ui/access.ts";
import { ConnectionNote } from "../ui/connection-note.tsx";
import { Header } from "../ui/header.tsx";
import { KeyDialog } from "../ui/key-dialog.tsx";
import { readKey } from "../ui/key.ts";
import { Failure } from "../ui/notice.tsx";
import { Media } from "../ui/picture.tsx";
import { ItemChip, PictureChip } from "./chips.tsx";
import { CollectionChooser } from "./collection-chooser.tsx";
import type { Finder, Findings } from "./finder.ts";
import { enterGrid } from "./grid.tsx";
import { Results } from "./results.tsx";
import { SearchBox } from "./search-box.tsx";
import { NoCollections, Start } from "./start.tsx";
import type { Collections } from "./use-collections.ts";
import { choose, useCollections } from "./use-collections.ts";
import type { Asked } from "./use-finder.ts";
import { queryOf, useFinder } from "./use-finder.ts";
import { useLive } from "./use-live.ts";
import type { OwnPicture } from "./use-own-picture.ts";
import { useOwnPicture } from "./use-own-picture.ts";
import type { Travel } from "./use-place.ts";
import { usePlace } from "./use-place.ts";
import { Viewer } from "./viewer.tsx";

const http = new HttpClient({ key: readKey });

const focusBox = (): void => document.getElementById("query")?.focus();

export function SearchPage(): VNode {
  const access = useAccess();
  const live = useLive(access);
  return (
    <Media.Provider value={useMemo(() => ({ http, key: access.key }), [access.key])}>
      <Header page="search" onForgetKey={access.key === null ? undefined : access.forget} />
      <ConnectionNote live={live} />
      <SearchMain key={access.round} access={access} live={live} />
      {access.asking && <KeyDialog wrong={access.wrong} onKey={access.accept} onClose={access.dismiss} />}
    </Media.Provider>
  );
}

function SearchMain({ access, live }: { access: Access; live: LiveClient }): VNode {
  const { collections, travel, own, collection, finder, findings, problem } = useSearch(access, live);
  const [known, setKnown] = useState<Hit | null>(null);
  const idle = findings.phase === "idle";
  const similar = (hit: Hit): void => {
    own.remove();
    setKnown(hit);
    travel.go({ text: "", item: hit.id });
    scrollTo({ top: 0 });
    focusBox();
  };
  const onChoose = (name: string): void => travel.go({ collection: name });
  return (
    <main class={idle ? "search idle" : "search"}>
      <h1 class={idle ? "" : "hidden"}>Find pictures by what they show</h1>
      <div class="ask">
        <Ask travel={travel} own={own} known={known} collection={collection} busy={isBusy(findings)} />
        <CollectionChooser list={collections.list ?? []} chosen={collection} onChoose={onChoose} />
      </div>
      {problem !== null && <Failure problem={problem} onRetry={collections.reload} />}
      {idle && problem === null && <Before collections={collections} chosen={collection} travel={travel} />}
      {!idle && <Found finder={finder} findings={findings} onSimilar={similar} />}
    </main>
  );
}

interface SearchState {
  collections: Collections;
  travel: Travel;
  own: OwnPicture;
  collection: string | null;
  finder: Finder;
  findings: Findings;
  /** What keeps the page from searching at all. */
  problem: Problem | null;
}

function useSearch(access: Access, live: LiveClient): SearchState {
  const collections = useCollections(http, access.round);
  const travel = usePlace();
  const { place, go } = travel;
  const own = useOwnPicture(useCallback(() => go({ text: "", item: null }), [go]));
  const collection = choose(collections.list, place.collection);
  const asked = { collection, text: place.text, item: place.item, image: own.picture?.base64 ?? null };
  const [finder, found] = useFinder(live, asked);
  useAsked(collections.problem, found.problem, access);
  const findings = isEarly(asked, collections) ? { ...found, phase: "loading" as const } : found;
  return { collections, travel, own, collection, finder, findings, problem: own.problem ?? collections.problem };
}

/** A shared address is a search from the first moment, even while the collections are still being asked for. */
function isEarly(asked: Asked, { list, problem }: Collections): boolean {
  return asked.collection === null && list === null && problem === null && queryOf(asked) !== null;
}

function useAsked(first: Problem | null, second: Problem | null, { check }: Access): void {
  useEffect(() => {
    for (const problem of [first, second]) if (problem !== null) check(problem);
  }, [first, second, check]);
}

const isBusy = ({ phase }: Findings): boolean => phase === "loading" || phase === "more";

interface AskProps {
  travel: Travel;
  own: OwnPicture;
  known: Hit | null;
  collection: string | null;
  busy: boolean;
}

function Ask({ travel: { place, drift, go, settle }, own, known, collection, busy }: AskProps): VNode {
  const enter = (text: string): void => {
    drift({ text });
    settle();
  };
  return (
    <SearchBox
      text={place.text}
      busy={busy}
      hasParts={own.picture !== null || place.item !== null}
      onType={(text) => drift({ text })}
      onEnter={enter}
      onLeave={settle}
      onDown={enterGrid}
      onPicture={own.take}
    >
      {own.picture !== null && <PictureChip {...own.picture} onRemove={own.remove} />}
      {place.item !== null && collection !== null && (
        <ItemChip collection={collection} id={place.item} known={known} onRemove={() => go({ item: null })} />
      )}
    </SearchBox>
  );
}

function Before({ collections, chosen, travel }: { collections: Collections; chosen: string | null; travel: Travel }): VNode | null {
  const { list, reload } = collections;
  if (list === null) return null;
  if (list.length === 0) return <NoCollections onReload={reload} />;
  return <Start collection={list.find(({ name }) => name === chosen) ?? null} onIdea={(text) => travel.go({ text })} />;
}

interface FoundProps {
  finder: Finder;
  findings: Findings;
  onSimilar: (hit: Hit) => void;
}

function Found({ finder, findings, onSimilar }: FoundProps): VNode {
  const [opened, setOpened] = useState<number | null>(null);
  const { hits, request } = findings;
  const hit = opened === null ? undefined : hits[opened];
  const to = (index: number): (() => void) | undefined => (hits[index] ? () => setOpened(index) : undefined);
  const close = (): void => setOpened(null);
  return (
    <>
      <Results
        findings={findings}
        onOpen={setOpened}
        onAbove={focusBox}
        onMore={() => void finder.more()}
        onRetry={() => void finder.retry()}
      />
      {hit && opened !== null && request && (
        <Viewer
          collection={request.collection}
          hit={hit}
          onPrevious={to(opened - 1)}
          onNext={to(opened + 1)}
          onSimilar={() => {
            close();
            onSimilar(hit);
          }}
          onClose={close}
        />
      )}
    </>
  );
}
