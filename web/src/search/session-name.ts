/** The session of this browser's sittings: all its tabs have the same one, also after a reload. */

const NAME = "clipline.session";
/** The session in whose place that one came. */
const BEFORE = "clipline.session.before";

type Kept = Pick<Storage, "getItem" | "setItem" | "removeItem">;

export function readSession(kept: Kept = localStorage): string | null {
  return kept.getItem(NAME);
}

/**
 * One tab's view of it. Tabs that lose a session at the same moment are each granted one in its place; the one that was
 * kept last is everybody's, and who has another one goes over to it.
 */
export class SessionName {
  readonly #kept: Kept;
  #own: string | null;
  #left: string | null = null;
  /** Others' that it goes over to; by the time it is there, another may have taken their place. */
  readonly #followed = new Set<string>();

  constructor(kept: Kept = localStorage) {
    this.#kept = kept;
    this.#own = readSession(kept);
  }

  /** The server has granted it; it is remembered for the next load and for other tabs. */
  granted(session: string): void {
    if (readSession(this.#kept) === session) {
      this.#followed.clear();
    } else if (!this.#followed.has(session)) {
      this.#left = this.#own;
      this.#kept.setItem(BEFORE, this.#own ?? "");
      this.#kept.setItem(NAME, session);
    }
    this.#own = session;
  }

  /** It is left by choice: a reload, however soon, begins another one. */
  leave(): void {
    this.#kept.removeItem(NAME);
  }

  /** The one that another tab has got meanwhile, where there is one, instead of a session that was ended. */
  insteadOf(ended: string): string | null {
    const kept = readSession(this.#kept);
    return kept === ended ? null : kept;
  }

  /** What another tab keeps in place of the same session that this one has left; null when this tab's own is kept. */
  rival(): string | null {
    const kept = readSession(this.#kept);
    const same = this.#left !== null && this.#kept.getItem(BEFORE) === this.#left;
    if (!same || kept === null || kept === this.#own) return null;
    this.#followed.add(kept);
    return kept;
  }
}
