/** The searcher's own picture as a query, and dropping one anywhere on the page. */

import { useCallback, useEffect, useState } from "preact/hooks";

import type { Problem } from "../client/contract.ts";
import { localProblem, problemOf } from "../client/problem.ts";
import type { Owned } from "./kept-pictures.ts";
import { findPicture, keepPicture, owned } from "./kept-pictures.ts";
import { pictureIn, readPicture } from "./picture-query.ts";
import type { Travel } from "./use-place.ts";

export interface OwnPicture {
  picture: Owned | null;
  /** Whether the address names one that is still being fetched. */
  waits: boolean;
  /** Whether one is held over the page. */
  dragged: boolean;
  problem: Problem | null;
  take: (file: File) => void;
  /** The problem has been read. */
  dismiss: () => void;
}

export function useOwnPicture({ place, go }: Pick<Travel, "place" | "go">): OwnPicture {
  const { pic } = place;
  const [, setRound] = useState(0);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [missing, setMissing] = useState<string | null>(null);
  const take = useCallback(
    (file: File) => {
      const read = readPicture(file).then((blob) => keepPicture(file.name, blob));
      read.then(
        ({ key }) => go({ text: "", item: null, good: [], bad: [], pic: key }),
        (error: unknown) => setProblem(problemOf(error)),
      );
    },
    [go],
  );
  useEffect(() => setProblem(null), [place]);
  useEffect(() => {
    if (pic === null || owned(pic) !== null) return undefined;
    let gone = false;
    void findPicture(pic).then((picture) => {
      if (gone) return;
      if (picture === null) setMissing(pic);
      else setRound((before) => before + 1);
    });
    return () => void (gone = true);
  }, [pic]);
  const picture = pic === null ? null : owned(pic);
  const dragged = useDrop(take, () => setProblem(NO_PICTURE));
  const isMissing = pic !== null && picture === null && missing === pic;
  const waits = pic !== null && picture === null && !isMissing;
  const dismiss = (): void => (isMissing ? go({ pic: null }) : setProblem(null));
  return { picture, waits, dragged, problem: isMissing ? ELSEWHERE : problem, take, dismiss };
}

const ELSEWHERE = localProblem(
  "picture-elsewhere",
  "The picture of this address is not here",
  "It is kept by the browser in which it was dropped, and by nobody else. Drop it here to search by it.",
  false,
).problem;
const NO_PICTURE = localProblem("bad-picture", "That is not a picture", "Drop the file of a picture, as PNG, JPEG or WebP.", false).problem;

function useDrop(take: (file: File) => void, refuse: () => void): boolean {
  const [dragged, setDragged] = useState(false);
  useEffect(() => {
    const over = (event: DragEvent): void => {
      event.preventDefault();
      setDragged(event.dataTransfer?.types.includes("Files") === true);
    };
    // Only the one that leaves the window goes nowhere.
    const leave = (event: DragEvent): void => {
      if (event.relatedTarget === null) setDragged(false);
    };
    const drop = (event: DragEvent): void => {
      // Without this the browser would leave the page for the file.
      event.preventDefault();
      setDragged(false);
      const file = pictureIn(event.dataTransfer);
      if (file !== null) take(file);
      else if (event.dataTransfer?.types.includes("Files")) refuse();
    };
    addEventListener("dragover", over);
    addEventListener("dragleave", leave);
    addEventListener("drop", drop);
    return () => {
      removeEventListener("dragover", over);
      removeEventListener("dragleave", leave);
      removeEventListener("drop", drop);
    };
  });
  return dragged;
}
