/** Drawing an area on a plot: a drag from its middle or corner, a click around a place, or keys. */

import type { RefObject } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

import type { Area, Shape } from "./areas.ts";
import { isCircle } from "./areas.ts";
import type { Dot } from "./on-plot.ts";
import { widthKm } from "./near.ts";
import { byKey } from "./plot-keys.ts";
import type { Spot, View } from "./plot-view.ts";
import { drawn, pointAt, spotOf } from "./plot-view.ts";
import { SETTLE_MS } from "./use-typed.ts";

export interface DrawingOptions {
  plot: RefObject<HTMLElement | null>;
  view: View | null;
  shape: Shape;
  area: Area | null;
  dots: readonly Dot[];
  onArea: (area: Area) => void;
}

export interface Drawing {
  /** As it is drawn now, before it is asked for. */
  draft: Area | null;
  /** Whether the key meant the drawing. */
  press: (key: string) => boolean;
  bound: {
    onPointerDown: (event: PointerEvent) => void;
    onPointerMove: (event: PointerEvent) => void;
    onPointerUp: (event: PointerEvent) => void;
    onPointerCancel: () => void;
    onBlur: () => void;
  };
}

/** A hand shakes: less is a click. */
const CLICK_PX = 5;
/** A dot is this near, or it is not meant. */
const SNAP_PX = 10;

export function useDrawing({ plot, view, shape, area, dots, onArea }: DrawingOptions): Drawing {
  const begun = useRef<Spot | null>(null);
  const { draft, draw, ask, askSoon, askNow } = useDraft(onArea);
  const spotIn = ({ clientX, clientY }: PointerEvent): Spot => {
    const { left, top } = plot.current?.getBoundingClientRect() ?? { left: 0, top: 0 };
    return { x: clientX - left, y: clientY - top };
  };
  const stop = (): void => {
    begun.current = null;
    draw(null);
  };
  const press = (key: string): boolean => {
    if (view === null || (key === "Escape" && begun.current === null)) return false;
    if (key === "Escape") stop();
    else if (key === "Enter") askNow();
    else {
      const next = byKey(key, view, shape, draft ?? ofShape(area, shape));
      if (next === null) return false;
      askSoon(next);
    }
    return true;
  };
  const onPointerDown = (event: PointerEvent): void => {
    if (event.button !== 0 || !event.isPrimary) return;
    // A finger that draws would not bring the focus.
    plot.current?.focus({ preventScroll: true });
    plot.current?.setPointerCapture(event.pointerId);
    begun.current = spotIn(event);
  };
  const onPointerMove = (event: PointerEvent): void => {
    if (begun.current === null || view === null) return;
    const now = spotIn(event);
    draw(isClick(begun.current, now) ? null : drawn(view, shape, begun.current, now));
  };
  const onPointerUp = (event: PointerEvent): void => {
    if (begun.current === null || view === null) return;
    const [from, now] = [begun.current, spotIn(event)];
    begun.current = null;
    ask(isClick(from, now) ? clicked(view, shape, area, dots, now) : drawn(view, shape, from, now));
  };
  return { draft, press, bound: { onPointerDown, onPointerMove, onPointerUp, onPointerCancel: stop, onBlur: askNow } };
}

const ofShape = (area: Area | null, shape: Shape): Area | null => (area !== null && isCircle(area) === (shape === "circle") ? area : null);

const isClick = (one: Spot, other: Spot): boolean => far(one, other) < CLICK_PX;

const far = (one: Spot, other: Spot): number => Math.hypot(one.x - other.x, one.y - other.y);

/** Around the dot that was meant, or around where there is none; as wide as the circle that is there. */
function clicked(view: View, shape: Shape, area: Area | null, dots: readonly Dot[], at: Spot): Area | null {
  if (shape === "box") return null;
  const near = dots.map(({ point }) => ({ point, px: far(spotOf(view, point), at) })).filter(({ px }) => px <= SNAP_PX);
  const [nearest] = near.sort((one, other) => one.px - other.px);
  const point = nearest?.point ?? pointAt(view, at);
  return { point, km: area !== null && isCircle(area) ? area.km : widthKm(point, dots.map((dot) => dot.point)) };
}

interface Draft {
  draft: Area | null;
  draw: (area: Area | null) => void;
  /** Null is nothing to ask for. */
  ask: (area: Area | null) => void;
  /** Once the keys pause. */
  askSoon: (area: Area) => void;
  askNow: () => void;
}

function useDraft(onArea: (area: Area) => void): Draft {
  const [draft, draw] = useState<Area | null>(null);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const waiting = useRef<Area | null>(null);
  const ask = (area: Area | null): void => {
    clearTimeout(timer.current);
    waiting.current = null;
    draw(null);
    if (area !== null) onArea(area);
  };
  const askNow = (): void => {
    if (waiting.current !== null) ask(waiting.current);
  };
  const latest = useRef(askNow);
  useLayoutEffect(() => void (latest.current = askNow));
  useEffect(() => () => clearTimeout(timer.current), []);
  const askSoon = (area: Area): void => {
    draw(area);
    waiting.current = area;
    clearTimeout(timer.current);
    timer.current = setTimeout(() => latest.current(), SETTLE_MS);
  };
  return { draft, draw, ask, askSoon, askNow };
}
