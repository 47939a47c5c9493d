/** What this sitting asked, newest first; each can be asked again. */

import type { VNode } from "preact";
import { useContext, useEffect, useState } from "preact/hooks";

import type { PastSearch, Problem } from "../client/contract.ts";
import { problemOf } from "../client/problem.ts";
import { ago, count } from "../ui/format.ts";
import { Icon } from "../ui/icons.tsx";
import { Modal } from "../ui/modal.tsx";
import { Failure } from "../ui/notice.tsx";
import { Media, Picture } from "../ui/picture.tsx";
import type { Place } from "./address.ts";
import { writePlace } from "./address.ts";
import type { Owned } from "./kept-pictures.ts";
import { picturesOf } from "./kept-pictures.ts";
import { placeOf, wordsOf } from "./past.ts";
import { otherIn } from "./team.tsx";
import type { Travel } from "./use-place.ts";
import type { Forgotten, Sitting } from "./use-sitting.ts";

const MOST = 100;
const MOST_THUMBS = 4;

export interface HistoryDialogProps {
  sitting: Sitting;
  travel: Travel;
  onClose: () => void;
}

export function HistoryDialog({ sitting, travel, onClose }: HistoryDialogProps): VNode {
  const [past, problem] = usePast(sitting.kept.session);
  const pictures = usePictures(past);
  const again = (one: PastSearch): void => {
    sitting.note(`back to ${wordsOf(one)}`);
    travel.go(placeAgain(one, pictures ?? NONE));
    onClose();
  };
  return (
    <Modal label="History" class="history" onClose={onClose} onKeyDown={walk} testid="history-dialog">
      <div class="dialog-head">
        <h2>History</h2>
        <button type="button" class="round" aria-label="Close" onClick={onClose} data-first>
          <Icon name="close" />
        </button>
      </div>
      <Counts sitting={sitting} />
      {problem !== null && <Failure problem={problem} />}
      {past?.length === 0 && <p class="soft">Nothing was asked yet.</p>}
      <ul class="past" role="list">
        {pictures !== null && distinct(past ?? []).map((one) => <Past key={one.job} one={one} pictures={pictures} by={otherIn(sitting.kept.view, one.by)} onAgain={() => again(one)} />)}
      </ul>
    </Modal>
  );
}

/** A reload asks again: what was asked several times in a row is told once. */
function distinct(past: readonly PastSearch[]): readonly PastSearch[] {
  const told = past.map(({ collection, by, search, picture }) => (picture ? null : JSON.stringify([collection, by, search])));
  return past.filter((_, place) => told[place] === null || told[place] !== told[place - 1]);
}

/** How much is marked, and letting go of it. */
function Counts({ sitting: { kept, forget } }: { sitting: Sitting }): VNode {
  const { positive, negative, exclude, exclude_groups: groups, seen } = kept.held;
  const hidden = exclude.size + groups.size;
  const rows: readonly [Forgotten, string, [act: string, what: string], number][] = [
    ["examples", `${count(positive.size)} good, ${count(negative.size)} bad`, ["Forget", "the examples"], positive.size + negative.size],
    ["hidden", `${count(hidden)} hidden`, ["Bring back", "what is hidden"], hidden],
    ["seen", `${count(seen.size)} seen`, ["Forget", "what was seen"], seen.size],
  ];
  return (
    <ul class="counts soft" role="list" data-testid="counts">
      {rows.map(([what, told, [act, of], size]) => (
        <li key={what}>
          {told}
          <button type="button" class="link" disabled={size === 0} onClick={() => forget(what)} data-testid={`forget-${what}`}>
            {act}
            <span class="hidden"> {of}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}

/** The arrows lead from query to query. */
function walk(event: KeyboardEvent): void {
  const way = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (way === undefined) return;
  event.preventDefault();
  const rows = [...document.querySelectorAll<HTMLElement>("a.past-row")];
  const place = rows.findIndex((row) => row === document.activeElement);
  rows[Math.min(Math.max(place + way, 0), rows.length - 1)]?.focus();
}

/** With the searcher's own picture, where this browser has it. */
const placeAgain = (one: PastSearch, pictures: Pictures): Place => ({ ...placeOf(one), pic: pictures.get(one.job)?.key ?? null });

interface PastProps {
  one: PastSearch;
  pictures: Pictures;
  by: string | null;
  onAgain: () => void;
}

function Past({ one, pictures, by, onAgain }: PastProps): VNode {
  const own = pictures.get(one.job);
  const elsewhere = one.picture && own === undefined;
  const told = (
    <>
      <span class="past-words">
        <Thumbs one={one} own={own} />
        {wordsOf(one)}
        {elsewhere && <span class="soft"> (in another browser)</span>}
      </span>
      <span class="soft">
        {by !== null && `${by}, `}
        {ago(one.at, Date.now())}
      </span>
    </>
  );
  const asked = (event: MouseEvent): void => {
    // Another button or key opens the address in another tab, as of any link.
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    onAgain();
  };
  return (
    <li>
      {one.search === null || elsewhere ? (
        <span class="past-row">{told}</span>
      ) : (
        <a class="past-row" href={writePlace(placeAgain(one, pictures))} onClick={asked} data-testid="past">
          {told}
        </a>
      )}
    </li>
  );
}

type Pictures = ReadonlyMap<string, Owned>;
const NONE: Pictures = new Map();

/** What was asked by, to be recognised by eye. */
function Thumbs({ one, own }: { one: PastSearch; own: Owned | undefined }): VNode {
  const { item, good, collection } = placeOf(one);
  const ids = [...(item === null ? [] : [item]), ...good].slice(0, MOST_THUMBS);
  return (
    <>
      {own && <span class="picture picture-thumb"><img src={own.preview} alt="" /></span>}
      {collection !== null && ids.map((id) => <Picture key={id} collection={collection} id={id} size="thumb" alt="" />)}
    </>
  );
}

/** Null until they are known: rows come with them, and stay as they are. */
function usePictures(past: readonly PastSearch[] | null): Pictures | null {
  const [found, setFound] = useState<Pictures | null>(null);
  useEffect(() => {
    const jobs = past?.filter(({ picture }) => picture).map(({ job }) => job) ?? [];
    if (past !== null) void picturesOf(jobs).then(setFound);
  }, [past]);
  return found;
}

function usePast(session: string | null): [PastSearch[] | null, Problem | null] {
  const { http } = useContext(Media);
  const [past, setPast] = useState<PastSearch[] | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  useEffect(() => {
    if (session === null) return undefined;
    const gone = new AbortController();
    http.sessions.history(session, MOST, gone.signal).then(setPast, (error: unknown) => {
      if (!gone.signal.aborted) setProblem(problemOf(error));
    });
    return () => gone.abort();
  }, [http, session]);
  return [past, problem];
}
