/** The state of one search as the page shows it, page after page of hits. */

import type { Exclude, Filter, Group, Hit, Problem, Query, Search, SearchResult, Then, Took } from "../client/contract.ts";
import { problemOf } from "../client/problem.ts";
import { groupOf } from "./marks.ts";

export type Phase = "idle" | "loading" | "more" | "done" | "failed";

export interface Request {
  collection: string;
  query: Query;
  filter?: Filter;
  /** What comes later in the same group. */
  then?: Then[];
  /** Of a sequence the groups in which it is looked for; else one picture of each group. */
  group_by?: string;
}

export interface Findings {
  phase: Phase;
  request: Request | null;
  hits: Hit[];
  /** Of a search for a sequence: each with its hits, in time; the hits stand above as well. */
  sequences: Group[];
  exhausted: boolean;
  /** Hits that score less are less likely to be what was looked for; null where that is not known. */
  line: number | null;
  truncated: boolean;
  took: Took | null;
  problem: Problem | null;
}

/** The part of the live client that finding needs. */
export interface Searcher {
  search: (search: Search, options: { slot: string; onFrame: (frame: { job: string }) => void }) => Promise<SearchResult>;
}

export const PAGE = 48;
/** Past this a grid is no longer looked at; a better query is. */
export const MAX_SHOWN = 2_000;
const FORGOTTEN = "nothing-to-continue";
const NOTHING: Findings = {
  phase: "idle",
  request: null,
  hits: [],
  sequences: [],
  exhausted: false,
  line: null,
  truncated: false,
  took: null,
  problem: null,
};

export class Finder {
  readonly #live: Searcher;
  readonly #slot: string;
  /** What is left out beside what is shown; asked for at each search, since it changes without one. */
  excluding: () => Exclude = () => ({});
  /** Told which job a search is, more than once. */
  known: (job: string, request: Request) => void = () => undefined;
  readonly #listeners = new Set<(findings: Findings) => void>();
  #findings = NOTHING;
  #turn = 0;

  /** Others of the same session, such as another tab, have another `slot`. */
  constructor(live: Searcher, slot = "main") {
    this.#live = live;
    this.#slot = slot;
  }

  get findings(): Findings {
    return this.#findings;
  }

  subscribe(listener: (findings: Findings) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** What was found before stays in sight until the answer is there. */
  async find(request: Request): Promise<void> {
    const kept = request.collection === this.#findings.request?.collection ? this.#findings.hits : [];
    const { line, sequences } = this.#findings;
    const before = kept.length > 0 ? { line, sequences } : {};
    this.#show({ ...NOTHING, phase: "loading", request, hits: kept, ...before });
    await this.#ask(request, [], asked(request, [], this.excluding()));
  }

  async more(): Promise<void> {
    const { request, phase, hits } = this.#findings;
    const again = phase === "failed" && hits.length > 0;
    if (request === null || !(phase === "done" || again) || this.#ended) return;
    this.#show({ ...this.#findings, phase: "more", problem: null });
    await this.#ask(request, hits, { ...onwards(request), ...excludedBy(this.excluding()) });
  }

  /** The same anew, from its first page: what was marked since then counts. */
  async again(): Promise<void> {
    const { request, phase } = this.#findings;
    if (request !== null && (phase === "done" || phase === "failed")) await this.find(request);
  }

  /** Ask again what failed: the first page, or the next. */
  async retry(): Promise<void> {
    const { request, hits } = this.#findings;
    if (request === null) return;
    if (hits.length > 0) await this.more();
    else await this.find(request);
  }

  clear(): void {
    this.#turn += 1;
    this.#show(NOTHING);
  }

  get #ended(): boolean {
    return this.#findings.exhausted || this.#findings.hits.length >= MAX_SHOWN;
  }

  async #ask(request: Request, shown: Hit[], search: Search): Promise<void> {
    this.#turn += 1;
    const turn = this.#turn;
    try {
      const result = await this.#live.search(search, { slot: this.#slot, onFrame: ({ job }) => this.known(job, request) });
      if (turn === this.#turn) this.#show(withPage(request, shown, this.#sequencesOf(shown), result));
    } catch (error) {
      // A newer search has the floor: whatever became of this one is no longer of interest.
      if (turn !== this.#turn) return;
      const problem = problemOf(error);
      // The session that knew the query is gone, or has forgotten it: we know it too.
      if (search.next && problem.type === FORGOTTEN) return this.#ask(request, shown, asked(request, shown, this.excluding()));
      this.#show({ ...this.#findings, phase: "failed", hits: shown, problem });
    }
  }

  #sequencesOf(shown: readonly Hit[]): Group[] {
    return shown.length === 0 ? [] : this.#findings.sequences;
  }

  #show(findings: Findings): void {
    this.#findings = findings;
    this.#listeners.forEach((listener) => listener(findings));
  }
}

/** The session goes on with its last query: nothing is encoded, and what was shown need not be told. */
function onwards({ collection }: Request): Search {
  return { collection, next: true, limit: PAGE };
}

function excludedBy(exclude: Exclude): Pick<Search, "exclude"> {
  return Object.keys(exclude).length > 0 ? { exclude } : {};
}

function asked(request: Request, shown: readonly Hit[], excluding: Exclude): Search {
  const exclude = request.group_by === undefined ? excluding : { ...excluding, groups: groupsOf(request.group_by, shown, excluding) };
  return {
    ...request,
    ...(shown.length > 0 && { seen: shown.map(({ id }) => id) }),
    ...excludedBy(exclude),
    ...(request.group_by !== undefined && request.then === undefined && { group_size: 1 }),
    // Examples are part of the request itself, so that its address asks the same of everybody.
    marks: false,
    limit: PAGE,
  };
}

function groupsOf(field: string, shown: readonly Hit[], { groups = [] }: Exclude): (string | number)[] {
  return [...new Set([...groups, ...shown.flatMap((hit) => groupOf(hit, field) ?? [])])];
}

const sequencesIn = ({ then }: Request, { groups = [] }: SearchResult): Group[] => (then === undefined ? [] : groups);

function withPage(request: Request, shown: Hit[], before: Group[], result: SearchResult): Findings {
  const known = new Set(shown.map(({ id }) => id));
  const found = result.hits ?? result.groups?.flatMap(({ hits }) => hits) ?? [];
  const fresh = found.filter(({ id }) => !known.has(id));
  return {
    phase: "done",
    request,
    hits: [...shown, ...fresh],
    sequences: [...before, ...sequencesIn(request, result)],
    exhausted: result.exhausted || fresh.length === 0,
    line: result.line ?? null,
    truncated: result.truncated ?? false,
    took: result.took,
    problem: null,
  };
}
