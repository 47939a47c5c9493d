/**
 * The searcher's own pictures, kept in this browser: the server keeps none, and yet an address, the way back and the
 * history ask by the last MOST of them again. Where nothing may be stored they last as long as the tab.
 */

import { randomKey } from "../client/transport.ts";
import type { PictureQuery } from "./picture-query.ts";
import { asQuery } from "./picture-query.ts";

interface Row {
  key: string;
  name: string;
  blob: Blob;
  at: number;
  /** The searches that asked by it, as the history names them. */
  jobs: string[];
}

export interface Owned extends PictureQuery {
  key: string;
}

const STORE = "pictures";
const MOST = 50;
const MOST_JOBS = 100;
const ready = new Map<string, Owned>();

/** What is there at once. */
export const owned = (key: string): Owned | null => ready.get(key) ?? null;

export async function keepPicture(name: string, blob: Blob): Promise<Owned> {
  const row: Row = { key: randomKey(), name, blob, at: Date.now(), jobs: [] };
  const picture = await prepared(row);
  await change((store) => {
    store.put(row);
    dropOldest(store);
  });
  return picture;
}

/** Null for one that this browser does not have, or has no more. */
export async function findPicture(key: string): Promise<Owned | null> {
  const known = owned(key) ?? (await rows()).find((row) => row.key === key);
  return known === undefined ? null : "blob" in known ? prepared(known) : known;
}

export function askedBy(key: string, job: string): Promise<void> {
  return change((store) => {
    const reading = store.get(key) as IDBRequest<Row | undefined>;
    reading.onsuccess = () => {
      const row = reading.result;
      if (row && !row.jobs.includes(job)) store.put({ ...row, jobs: [...row.jobs, job].slice(-MOST_JOBS) });
    };
  });
}

/** The pictures of past searches, by their jobs. */
export async function picturesOf(jobs: readonly string[]): Promise<ReadonlyMap<string, Owned>> {
  const wanted = new Set(jobs);
  const found = new Map<string, Owned>();
  for (const row of await rows()) {
    for (const job of row.jobs.filter((one) => wanted.has(one))) found.set(job, owned(row.key) ?? (await prepared(row)));
  }
  return found;
}

/** Whoever uses this browser next has none of them. */
export function forgetPictures(): Promise<void> {
  ready.forEach(({ preview }) => URL.revokeObjectURL(preview));
  ready.clear();
  return change((store) => store.clear());
}

async function prepared({ key, name, blob }: Row): Promise<Owned> {
  const picture = { key, ...(await asQuery(name, blob)) };
  ready.set(key, picture);
  for (const [old, { preview }] of [...ready].slice(0, -MOST)) {
    URL.revokeObjectURL(preview);
    ready.delete(old);
  }
  return picture;
}

function dropOldest(store: IDBObjectStore): void {
  const reading = store.getAll() as IDBRequest<Row[]>;
  reading.onsuccess = () => {
    const old = reading.result.sort((one, other) => other.at - one.at).slice(MOST);
    old.forEach(({ key }) => store.delete(key));
  };
}

function database(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open("clipline", 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(STORE, { keyPath: "key" });
    opening.onsuccess = () => resolve(opening.result);
    opening.onerror = () => reject(new Error("no database", { cause: opening.error }));
  });
}

async function rows(): Promise<Row[]> {
  const base = await database().catch(() => null);
  if (base === null) return [];
  return new Promise((resolve) => {
    const reading = base.transaction(STORE).objectStore(STORE).getAll() as IDBRequest<Row[]>;
    reading.onsuccess = () => resolve(reading.result);
    reading.onerror = () => resolve([]);
    reading.transaction?.addEventListener("complete", () => base.close());
  });
}

/** Without a database, or with a full one, it is as if nothing was asked for. */
async function change(how: (store: IDBObjectStore) => void): Promise<void> {
  const base = await database().catch(() => null);
  if (base === null) return;
  await new Promise<void>((resolve) => {
    const changing = base.transaction(STORE, "readwrite");
    changing.oncomplete = changing.onabort = () => resolve();
    how(changing.objectStore(STORE));
  });
  base.close();
}
