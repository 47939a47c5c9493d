/** The search page, put together. */

import type { VNode } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";

import type { Collection, Problem } from "../client/contract.ts";
import { HttpClient } from "../client/http.ts";
import type { LiveClient } from "../client/live.ts";
import type { Access } from "../ui/access.ts";
import { useAccess } from "../ui/access.ts";
import { ConnectionNote } from "../ui/connection-note.tsx";
import { Header } from "../ui/header.tsx";
import { Icon } from "../ui/icons.tsx";
import { KeyDialog } from "../ui/key-dialog.tsx";
import { readKey } from "../ui/key.ts";
import { nameOf } from "../ui/format.ts";
import { Failure } from "../ui/notice.tsx";
import { Media } from "../ui/picture.tsx";
import type { Place } from "./address.ts";
import { said } from "./address.ts";
import { Ask, Fold, Then } from "./ask.tsx";
import { CollectionChooser } from "./collection-chooser.tsx";
import { UNFILTERED } from "./conditions.ts";
import type { Finder, Findings } from "./finder.ts";
import { Found } from "./found.tsx";
import { forgetPictures } from "./kept-pictures.ts";
import type { Pictured } from "./marks.ts";
import { SittingBar, useDialogs } from "./sitting-bar.tsx";
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
import type { Sitting } from "./use-sitting.ts";
import { useSitting } from "./use-sitting.ts";
import { useKept } from "./use-kept.ts";

const http = new HttpClient({ key: readKey });

const focusBox = (): void => document.getElementById("query")?.focus();

const asks = (place: Place): boolean => place.pic !== null || queryOf({ ...place, image: null }) !== null;

/** Whoever opens the page means to type; where a keyboard would first cover half of it, one taps. */
const opensWithBox = (): boolean => document.activeElement === document.body && matchMedia("(pointer: fine)").matches;

export function SearchPage(): VNode {
  const access = useAccess();
  const live = useLive(access);
  return (
    <Media.Provider value={useMemo(() => ({ http, key: access.key }), [access.key])}>
      <Header page="search" onForgetKey={access.key === null ? undefined : () => void forgetPictures().then(access.forget)} />
      <ConnectionNote live={live} />
      <SearchMain key={access.round} access={access} live={live} />
      {access.asking && <KeyDialog wrong={access.wrong} onKey={access.accept} onClose={access.dismiss} />}
    </Media.Provider>
  );
}

function SearchMain({ access, live }: { access: Access; live: LiveClient }): VNode {
  const state = useSearch(access, live);
  const { collections, travel, own, collection, facts, finder, findings, problem, sitting } = state;
  const [known, setKnown] = useState<Pictured | null>(null);
  const [unfolded, setUnfolded] = useState(false);
  const [dialogs, open] = useDialogs(sitting, travel, collection);
  const idle = findings.phase === "idle";
  const similar = (hit: Pictured): void => {
    sitting.note(`similar to ${nameOf(hit.id, hit.payload, hit.source)}`);
    setKnown(hit);
    travel.go({ text: "", item: hit.id, pic: null, good: [], bad: [], then: [] });
  };
  useEffect(() => {
    if (!asks(travel.place) && opensWithBox()) focusBox();
    // Once, where nothing is asked yet.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, []);
  const onChoose = (name: string): void => travel.go({ collection: name, item: null, good: [], bad: [], ...UNFILTERED, grouped: false, then: [] });
  const bar = <SittingBar sitting={sitting} onOpen={open} />;
  return (
    <main class={classOf(idle, unfolded, travel.place)}>
      <h1 class={idle ? "" : "hidden"}>Find pictures by what they show</h1>
      <div class="ask">
        <Ask travel={travel} own={own} known={known} collection={collection} busy={isBusy(findings)} onAgain={() => void finder.again()} />
        <Fold open={unfolded} onToggle={() => setUnfolded(!unfolded)} />
        <CollectionChooser list={collections.problem === null ? collections.list : []} chosen={collection} onChoose={onChoose} />
      </div>
      <Then travel={travel} facts={facts} />
      {idle && bar}
      {dialogs}
      <Aside state={state} idle={idle} />
      {idle && (problem ?? own.problem) === null && <Before collections={collections} chosen={collection} travel={travel} />}
      {!idle && <Found state={state} bar={bar} onSimilar={similar} onAbove={focusBox} />}
    </main>
  );
}

/** Where pictures are to be seen and there is little room, only what is used all the time stands above them. */
function classOf(idle: boolean, unfolded: boolean, { then }: Place): string {
  if (idle) return "search idle";
  const asks = said(then).length > 0 ? " in-steps" : "";
  return unfolded ? `search${asks}` : `search folded${asks}`;
}

/** What happened last, what is wrong with what was given to the page, and where a file that is held over it will go. */
function Aside({ state: { collections, own, problem, sitting }, idle }: { state: SearchState; idle: boolean }): VNode {
  return (
    <>
      {idle && (
        <p class="soft start-note" role="status" data-testid="start-note">
          {sitting.last}
        </p>
      )}
      {problem !== null && <Failure problem={problem} onRetry={collections.reload} />}
      {own.problem !== null && (
        <div class={idle ? "" : "beside-results"}>
          <Failure problem={own.problem} />
          {!idle && (
            <button type="button" class="round" aria-label="Close" onClick={own.dismiss} data-testid="dismiss">
              <Icon name="close" />
            </button>
          )}
        </div>
      )}
      {own.dragged && (
        <div class="drop-here" data-testid="drop-here">
          <p>Drop the picture to search by it</p>
        </div>
      )}
    </>
  );
}

interface SearchState {
  collections: Collections;
  travel: Travel;
  own: OwnPicture;
  collection: string | null;
  /** What is known of the chosen collection. */
  facts: Collection | null;
  sitting: Sitting;
  finder: Finder;
  findings: Findings;
  /** What keeps the page from searching at all. */
  problem: Problem | null;
}

function useSearch(access: Access, live: LiveClient): SearchState {
  const collections = useCollections(http, access.round);
  const travel = usePlace();
  const { place } = travel;
  const own = useOwnPicture(travel);
  const collection = choose(collections.list, place.collection);
  const facts = collections.list?.find(({ name }) => name === collection) ?? null;
  const sitting = useSitting(useKept(http, live, collection), travel);
  const asked = { ...place, collection, groupBy: groupBy(place, facts), image: own.picture?.base64 ?? null };
  const early = own.waits || isEarly(asked, collections, place.grouped);
  const [finder, found] = useFinder(live, early ? { ...asked, collection: null } : asked, sitting.kept.unsaved);
  useAsked(collections.problem, found.problem, access);
  const findings = early ? { ...found, phase: "loading" as const } : found;
  return { collections, travel, own, collection, facts, sitting, finder, findings, problem: collections.problem };
}

/** A sequence is one of a group's items. */
const groupBy = ({ grouped, then }: Place, facts: Collection | null): string | null =>
  (grouped || said(then).length > 0) && facts !== null ? facts.group_field : null;

/** A shared address is a search from the first moment, even while the collections are still being asked for. */
function isEarly(asked: Asked, { list, problem }: Collections, grouped: boolean): boolean {
  const waits = asked.collection === null || grouped || said(asked.then).length > 0;
  return waits && list === null && problem === null && queryOf(asked) !== null;
}

function useAsked(first: Problem | null, second: Problem | null, { check }: Access): void {
  useEffect(() => {
    for (const problem of [first, second]) if (problem !== null) check(problem);
  }, [first, second, check]);
}

const isBusy = ({ phase }: Findings): boolean => phase === "loading" || phase === "more";

function Before({ collections, chosen, travel }: { collections: Collections; chosen: string | null; travel: Travel }): VNode | null {
  const { list, reload } = collections;
  if (list === null) return null;
  if (list.length === 0) return <NoCollections onReload={reload} />;
  return <Start collection={list.find(({ name }) => name === chosen) ?? null} onIdea={(text) => travel.go({ text })} />;
}
