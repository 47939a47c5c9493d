/** A picture dropped or pasted by the searcher, made ready to travel. */

import { localProblem } from "../client/problem.ts";

/** Models look at a few hundred pixels; more would only travel. */
const MAX_SIDE_PX = 768;
const AS_IT_IS_BYTES = 512 * 1024;
const MAX_FILE_BYTES = 64 * 1024 * 1024;
const READABLE = new Set(["image/png", "image/jpeg", "image/webp"]);

export interface PictureQuery {
  base64: string;
  preview: string;
  name: string;
}

export function pictureIn(data: DataTransfer | null): File | null {
  return [...(data?.files ?? [])].find((file) => file.type.startsWith("image/")) ?? null;
}

/** Raises ProblemError for a file that the browser cannot show either. */
export async function readPicture(file: File): Promise<Blob> {
  const small = file.size <= AS_IT_IS_BYTES && READABLE.has(file.type);
  return small ? file : shrink(file);
}

/** The preview is a blob's address, to be revoked. */
export async function asQuery(name: string, blob: Blob): Promise<PictureQuery> {
  return { base64: base64Of(await blob.arrayBuffer()), preview: URL.createObjectURL(blob), name };
}

async function shrink(file: File): Promise<Blob> {
  if (file.size > MAX_FILE_BYTES) throw badPicture("It is larger than 64 MiB.");
  const bitmap = await createImageBitmap(file).catch(() => {
    throw badPicture("This browser cannot read it.");
  });
  const factor = Math.min(1, MAX_SIDE_PX / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * factor));
  canvas.height = Math.max(1, Math.round(bitmap.height * factor));
  canvas.getContext("2d")?.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return encoded(canvas);
}

function encoded(canvas: HTMLCanvasElement): Promise<Blob> {
  return new Promise((resolve, reject) => {
    const done = (blob: Blob | null): void => {
      if (blob === null) reject(badPicture("This browser cannot store it."));
      else resolve(blob);
    };
    canvas.toBlob(done, "image/png");
  });
}

const CHUNK = 0x8000;

export function base64Of(buffer: ArrayBuffer): string {
  const bytes = new Uint8Array(buffer);
  let binary = "";
  // In pieces: a call takes only so many arguments.
  for (let at = 0; at < bytes.length; at += CHUNK) binary += String.fromCharCode(...bytes.subarray(at, at + CHUNK));
  return btoa(binary);
}

function badPicture(detail: string): Error {
  return localProblem("bad-picture", "That is not a picture that can be read", detail, false);
}
