/** Tabs that lose their session at the same moment, and the storage that they share. */

import { beforeEach, expect, test } from "vitest";

import { readSession, SessionName } from "../src/search/session-name.ts";

class Shared {
  readonly values = new Map<string, string>();

  getItem(name: string): string | null {
    return this.values.get(name) ?? null;
  }

  setItem(name: string, value: string): void {
    this.values.set(name, value);
  }

  removeItem(name: string): void {
    this.values.delete(name);
  }
}

let shared: Shared;

/** A tab that is in a session already. */
function tabIn(session: string): SessionName {
  const tab = new SessionName(shared);
  tab.granted(session);
  return tab;
}

beforeEach(() => {
  shared = new Shared();
});

/** What each storage event does, until there is nothing to go over to. */
function settled(tabs: readonly SessionName[]): void {
  for (const tab of [...tabs, ...tabs]) {
    const rival = tab.rival();
    if (rival !== null) tab.granted(rival);
  }
}

test("all go over to the one that was kept last", () => {
  const tabs = ["a", "b", "c"].map(() => tabIn("s"));
  tabs.forEach((tab, at) => tab.granted(`new-${at}`));
  settled(tabs);
  expect(readSession(shared)).toBe("new-2");
  expect(tabs.map((tab) => tab.rival())).toEqual([null, null, null]);
  // One that is late.
  const late = tabIn("new-2");
  expect(late.rival()).toBeNull();
  expect(late.insteadOf("s")).toBe("new-2");
});

test("in whatever order they hear of each other", () => {
  const [one, other, third] = [tabIn("s"), tabIn("s"), tabIn("s")];
  one.granted("a");
  other.granted("b");
  one.granted(one.rival() ?? "");
  third.granted("c");
  settled([one, other, third]);
  expect(readSession(shared)).toBe("c");
  expect([one, other, third].map((tab) => tab.rival())).toEqual([null, null, null]);
});

test("while one goes over, a third may be kept", () => {
  const [one, other, third] = [tabIn("s"), tabIn("s"), tabIn("s")];
  one.granted("a");
  other.granted("b");
  const onItsWay = one.rival() ?? "";
  third.granted("c");
  one.granted(onItsWay);
  settled([one, other, third]);
  expect(readSession(shared)).toBe("c");
  expect([one, other, third].map((tab) => tab.rival())).toEqual([null, null, null]);
  expect(one.insteadOf("b")).toBe("c");
});

test("a session that was chosen in one tab leaves the others where they are", () => {
  const [one, other] = [tabIn("s"), tabIn("s")];
  one.granted("team");
  expect(other.rival()).toBeNull();
  expect(readSession(shared)).toBe("team");
});

test("one that was left by choice is no reload's, and no other tab's affair", () => {
  const [one, other] = [tabIn("s"), tabIn("s")];
  one.leave();
  expect(readSession(shared)).toBeNull();
  expect([one.rival(), other.rival()]).toEqual([null, null]);
  one.granted("mine");
  expect([readSession(shared), other.rival()]).toEqual(["mine", null]);
});

test("one that ended is not taken up again", () => {
  const one = tabIn("s");
  expect(one.insteadOf("s")).toBeNull();
});
