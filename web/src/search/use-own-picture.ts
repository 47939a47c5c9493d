/** The searcher's own picture as a query, and dropping one anywhere on the page. */

import { useCallback, useEffect, useState } from "preact/hooks";

import type { Problem } from "../client/contract.ts";
import { problemOf } from "../client/problem.ts";
import type { PictureQuery } from "./picture-query.ts";
import { pictureIn, readPicture } from "./picture-query.ts";

export interface OwnPicture {
  picture: PictureQuery | null;
  problem: Problem | null;
  take: (file: File) => void;
  remove: () => void;
}

export function useOwnPicture(onTaken: () => void): OwnPicture {
  const [picture, setPicture] = useState<PictureQuery | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const remove = useCallback(() => {
    setPicture(null);
    setProblem(null);
  }, []);
  const take = useCallback(
    (file: File) => {
      const taken = (read: PictureQuery): void => {
        setProblem(null);
        setPicture(read);
        onTaken();
      };
      readPicture(file).then(taken, (error: unknown) => setProblem(problemOf(error)));
    },
    [onTaken],
  );
  useEffect(() => {
    if (picture === null) return undefined;
    return () => URL.revokeObjectURL(picture.preview);
  }, [picture]);
  useDrop(take);
  return { picture, problem, take, remove };
}

function useDrop(take: (file: File) => void): void {
  useEffect(() => {
    const over = (event: DragEvent): void => event.preventDefault();
    const drop = (event: DragEvent): void => {
      // Without this the browser would leave the page for the file.
      event.preventDefault();
      const file = pictureIn(event.dataTransfer);
      if (file !== null) take(file);
    };
    addEventListener("dragover", over);
    addEventListener("drop", drop);
    return () => {
      removeEventListener("dragover", over);
      removeEventListener("drop", drop);
    };
  }, [take]);
}
