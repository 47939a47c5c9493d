/** The session of this browser's sittings: all its tabs have the same one, also after a reload. */

const NAME = "clipline.session";

export function readSession(): string | null {
  return localStorage.getItem(NAME);
}

export function keepSession(session: string): void {
  localStorage.setItem(NAME, session);
}
