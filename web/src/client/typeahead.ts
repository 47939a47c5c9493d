/** Search while somebody types: of many askings only the newest is answered, and only that one costs anything. */

import type { Search, SearchResult } from "./contract.ts";
import type { SearchOptions } from "./pending.ts";
import { ProblemError } from "./problem.ts";

/** What asks: a LiveClient, or whatever searches like one. */
export interface Searcher {
  search: (search: Search, options: SearchOptions) => Promise<SearchResult>;
}

let made = 0;

export class Typeahead {
  readonly slot: string;
  readonly #searcher: Searcher;
  readonly #options: SearchOptions;

  /** Two that share a slot replace each other's searches; by default each has its own. */
  constructor(searcher: Searcher, { slot, ...options }: SearchOptions = {}) {
    made += 1;
    this.slot = slot ?? `typeahead-${made}`;
    this.#searcher = searcher;
    this.#options = options;
  }

  /** The answer, or null when a newer asking took this one's place. Raises ProblemError. */
  async ask(search: Search): Promise<SearchResult | null> {
    try {
      return await this.#searcher.search(search, { ...this.#options, slot: this.slot });
    } catch (error) {
      if (error instanceof ProblemError && error.problem.type === "superseded") return null;
      throw error;
    }
  }
}
