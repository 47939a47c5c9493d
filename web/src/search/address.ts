/** The search in the page's address, so that it can be shared and stepped back to. */

export interface Place {
  text: string;
  item: number | null;
  collection: string | null;
}

export const MAX_TEXT = 1_000;

export function readPlace(search: string): Place {
  const given = new URLSearchParams(search);
  const item = given.get("item") ?? "";
  return {
    text: (given.get("q") ?? "").slice(0, MAX_TEXT),
    item: /^\d{1,16}$/.test(item) && Number.isSafeInteger(Number(item)) ? Number(item) : null,
    collection: given.get("c"),
  };
}

/** Relative, so that it works under any path. */
export function writePlace({ text, item, collection }: Place): string {
  const search = new URLSearchParams();
  if (text.trim() !== "") search.set("q", text.trim());
  if (item !== null) search.set("item", String(item));
  if (collection !== null) search.set("c", collection);
  return search.size === 0 ? "./" : `?${search.toString()}`;
}
