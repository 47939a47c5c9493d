/** A stored picture: by address where that is enough, fetched with the key where one is needed. */

import type { VNode } from "preact";
import { createContext } from "preact";
import { useContext, useEffect, useRef, useState } from "preact/hooks";

import type { MediaSize } from "../client/http.ts";
import { HttpClient } from "../client/http.ts";
import { FetchQueue } from "./fetch-queue.ts";
import { Icon } from "./icons.tsx";

const AT_ONCE = 6;
const AHEAD = "400px";
const downloads = new FetchQueue(AT_ONCE);

export interface MediaAccess {
  http: HttpClient;
  key: string | null;
}

/** Set by each page. */
export const Media = createContext<MediaAccess>({ http: new HttpClient(), key: null });

export interface PictureProps {
  collection: string;
  id: number;
  size: MediaSize;
  alt: string;
}

export function Picture({ collection, id, size, alt }: PictureProps): VNode {
  const { http, key } = useContext(Media);
  const [broken, setBroken] = useState(false);
  const frame = useRef<HTMLSpanElement>(null);
  const fetched = useFetched({ collection, id, size }, frame, () => setBroken(true));
  const src = key === null ? http.mediaUrl(collection, id, size) : fetched;
  return (
    <span ref={frame} class={`picture picture-${size}`}>
      {broken && <Missing alt={alt} />}
      {!broken && src !== null && (
        <img src={src} alt={alt} loading="lazy" decoding="async" draggable={false} onError={() => setBroken(true)} />
      )}
    </span>
  );
}

function Missing({ alt }: { alt: string }): VNode {
  return (
    <span class="picture-missing" role="img" aria-label={alt}>
      <Icon name="picture" />
    </span>
  );
}

type Wanted = Omit<PictureProps, "alt">;

/** With a key: a blob's address, from when the picture comes near the window until it leaves the page. */
function useFetched(wanted: Wanted, frame: { current: HTMLElement | null }, onBroken: () => void): string | null {
  const { http, key } = useContext(Media);
  const { collection, id, size } = wanted;
  const [url, setUrl] = useState<string | null>(null);
  const broken = useRef(onBroken);
  useEffect(() => {
    const element = frame.current;
    if (key === null || element === null) return;
    const gone = new AbortController();
    let made: string | null = null;
    const load = async (): Promise<void> => {
      const blob = await downloads.run(() => http.media(collection, id, size, gone.signal), gone.signal);
      if (gone.signal.aborted) return;
      made = URL.createObjectURL(blob);
      setUrl(made);
    };
    const stopWaiting = whenNear(element, () => void load().catch(() => gone.signal.aborted || broken.current()));
    return () => {
      stopWaiting();
      gone.abort();
      setUrl(null);
      if (made !== null) URL.revokeObjectURL(made);
    };
  }, [http, key, collection, id, size, frame]);
  return url;
}

function whenNear(element: HTMLElement, act: () => void): () => void {
  const observer = new IntersectionObserver(
    (entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      observer.disconnect();
      act();
    },
    { rootMargin: AHEAD },
  );
  observer.observe(element);
  return () => observer.disconnect();
}
