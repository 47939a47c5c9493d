/** Where pictures were: dots by longitude and latitude, without a map under them, and the area that is drawn among them. */

import type { RefObject, VNode } from "preact";
import { useId, useLayoutEffect, useRef, useState } from "preact/hooks";

import { count, plural } from "../ui/format.ts";
import { Icon } from "../ui/icons.tsx";
import type { Area, Shape } from "./areas.ts";
import { writeArea } from "./areas.ts";
import type { Dot } from "./on-plot.ts";
import { extentOf, panned } from "./plot-keys.ts";
import type { View } from "./plot-view.ts";
import { linesOf, outline, spotOf, viewOf, zoomed } from "./plot-view.ts";
import { isPlain } from "./use-keys.ts";
import { useDrawing } from "./use-drawing.ts";

export interface PlotProps {
  field: string;
  shape: Shape;
  area: Area | null;
  dots: readonly Dot[];
  /** Whether it was opened by a key, which leads to it. */
  focused: boolean;
  onArea: (area: Area) => void;
}

const DOT_PX = 3.5;
const CLOSER = 0.5;

export function Plot({ field, shape, area, dots, focused, onArea }: PlotProps): VNode {
  const id = useId();
  const plot = useRef<HTMLDivElement>(null);
  const [view, setView] = useView(plot, dots, area);
  const { draft, press, bound } = useDrawing({ plot, view, shape, area, dots, onArea });
  useLayoutEffect(() => {
    if (focused) plot.current?.focus();
  }, [focused]);
  const onKeyDown = (event: KeyboardEvent): void => {
    if (!isPlain(event) || view === null) return;
    const pan = event.shiftKey ? panned(event.key, view) : null;
    if (pan !== null) setView(pan);
    else if (!press(event.key)) return;
    event.preventDefault();
  };
  return (
    <div class="plot-place">
      {/* All that is drawn here can be typed above as well. */}
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions */}
      <div
        ref={plot}
        class="plot"
        role="application"
        // The arrows move what is drawn.
        // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
        tabIndex={0}
        aria-label={`${field} on a plot`}
        aria-describedby={id}
        onKeyDown={onKeyDown}
        {...bound}
        data-testid="plot"
      >
        {view !== null && <Drawn view={view} dots={dots} area={draft ?? area} isDraft={draft !== null} />}
      </div>
      <div class="plot-acts">
        {view !== null && <Sight view={view} onView={setView} onAll={() => setView(fitting(view, dots, area))} />}
        <p id={id} class="soft" data-testid="plot-note">
          {noteOf(dots, shape)}
          <span class="wide-only">; arrows, + and − change it</span>.
        </p>
      </div>
    </div>
  );
}

interface DrawnProps {
  view: View;
  dots: readonly Dot[];
  area: Area | null;
  isDraft: boolean;
}

function Drawn({ view, dots, area, isDraft }: DrawnProps): VNode {
  return (
    <svg width={view.width} height={view.height} aria-hidden="true">
      <Lines view={view} />
      <Dots view={view} dots={dots} />
      {area !== null && <path class={isDraft ? "plot-area draft" : "plot-area"} d={outline(view, area)} data-testid="plot-area" />}
    </svg>
  );
}

function noteOf(dots: readonly Dot[], shape: Shape): string {
  const now = dots.filter((dot) => dot.now).length;
  const earlier = dots.length - now;
  const told = `${plural(now, "place")} of what is shown${earlier > 0 ? `, ${count(earlier)} more from before` : ""}.`;
  const how = shape === "circle" ? "Drag from its middle, or click a place" : "Drag from corner to corner";
  return `${told} ${how}`;
}

interface SightProps {
  view: View;
  onView: (view: View) => void;
  onAll: () => void;
}

/** How much of the earth is in sight. */
function Sight({ view, onView, onAll }: SightProps): VNode {
  return (
    <span class="plot-sight" role="group" aria-label="What is in sight">
      <button type="button" class="round" aria-label="Closer" title="Closer" onClick={() => onView(zoomed(view, CLOSER))}>
        <Icon name="plus" />
      </button>
      <button type="button" class="round" aria-label="Further away" title="Further away" onClick={() => onView(zoomed(view, 1 / CLOSER))}>
        <Icon name="bad" />
      </button>
      <button type="button" onClick={onAll} data-testid="plot-all">
        All
      </button>
    </span>
  );
}

function Lines({ view }: { view: View }): VNode {
  const { lats, lons } = linesOf(view);
  return (
    <g class="plot-lines">
      {lats.map(({ at, told }) => (
        <g key={told}>
          <path d={`M0,${at}H${view.width}`} />
          <text x={6} y={at - 4}>
            {told}
          </text>
        </g>
      ))}
      {lons.map(({ at, told }) => (
        <g key={told}>
          <path d={`M${at},0V${view.height}`} />
          <text x={at + 4} y={view.height - 6}>
            {told}
          </text>
        </g>
      ))}
    </g>
  );
}

/** Those that are shown lie above those of before. */
function Dots({ view, dots }: { view: View; dots: readonly Dot[] }): VNode {
  return (
    <g class="plot-dots">
      {dots.map(({ key, name, point, now }) => {
        const { x, y } = spotOf(view, point);
        return (
          <circle key={key} class={now ? "now" : ""} cx={x} cy={y} r={DOT_PX}>
            <title>{name}</title>
          </circle>
        );
      })}
    </g>
  );
}

const fitting = ({ width, height }: Pick<View, "width" | "height">, dots: readonly Dot[], area: Area | null): View =>
  viewOf([...dots.map(({ point }) => point), ...(area === null ? [] : extentOf(area))], { width, height });

/** Null until its width is known. It stays as it is but for an area that is not in sight. */
function useView(plot: RefObject<HTMLElement | null>, dots: readonly Dot[], area: Area | null): [View | null, (view: View) => void] {
  const [view, setView] = useState<View | null>(null);
  useLayoutEffect(() => {
    if (plot.current === null) return undefined;
    const measure = (): void => {
      const width = plot.current?.clientWidth ?? 0;
      if (width > 0) setView((before) => (before === null ? fitting({ width, height: plot.current?.clientHeight ?? 0 }, dots, area) : { ...before, width }));
    };
    measure();
    const seen = new ResizeObserver(measure);
    seen.observe(plot.current);
    return () => seen.disconnect();
    // Only its size is looked at here.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, []);
  const told = area === null ? "" : writeArea(area);
  useLayoutEffect(() => {
    if (view !== null && area !== null && !isInSight(view, area)) setView(fitting(view, dots, area));
    // Only what is asked for is looked at here.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [told]);
  return [view, setView];
}

function isInSight(view: View, area: Area): boolean {
  return extentOf(area).every((point) => {
    const { x, y } = spotOf(view, point);
    return x >= 0 && x <= view.width && y >= 0 && y <= view.height;
  });
}
