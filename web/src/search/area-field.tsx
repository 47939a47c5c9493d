/** Places of one field: around one, or in a box; typed, or drawn on a plot of what was found. */

import type { VNode } from "preact";
import { useEffect, useId, useState } from "preact/hooks";

import type { Area, Input, Shape } from "./areas.ts";
import { INPUTS, readTypedArea, shapeOf, typedArea, writeArea } from "./areas.ts";
import type { Plotted } from "./on-plot.ts";
import { dotsOf } from "./on-plot.ts";
import { Plot } from "./plot.tsx";
import { useTyped } from "./use-typed.ts";

export interface AreaFieldProps {
  field: string;
  area: Area | null;
  plotted: Plotted;
  /** Whether the plot is shown, and whether a key led to it. */
  mapped: boolean;
  focused: boolean;
  onMap: () => void;
  onArea: (area: Area | null) => void;
}

const SHAPES: readonly (readonly [Shape, string])[] = [
  ["circle", "Around"],
  ["box", "In a box"],
];
const SAID: Record<Input, string> = { around: "", km: "within", from: "from SW", to: "to NE" };
const LABELS: Record<Input, string> = { around: "around", km: "within km of it", from: "from the south-west corner", to: "to the north-east corner" };
const EXAMPLES: Record<Input, string> = { around: "47.37, 8.54", km: "10", from: "47.3, 8.4", to: "47.5, 8.7" };

export function AreaField({ field, area, plotted, mapped, focused, onMap, onArea }: AreaFieldProps): VNode {
  const [shape, choose] = useShape(area);
  return (
    <>
      <span class="area-shapes" role="group" aria-label={`${field}: how`}>
        {SHAPES.map(([its, told]) => (
          <button key={its} type="button" class="facet-value" aria-pressed={shape === its} onClick={() => choose(its)} data-testid={`area-${its}`}>
            {told}
          </button>
        ))}
      </span>
      <AreaInputs key={shape} field={field} shape={shape} area={area} onArea={onArea} />
      <button type="button" aria-expanded={mapped} onClick={onMap} title="Draw it: m" data-testid="plot-toggle">
        Plot
      </button>
      {mapped && <Plot key={plotted.question} field={field} shape={shape} area={area} dots={dotsOf(plotted, field)} focused={focused} onArea={onArea} />}
    </>
  );
}

/** That of the area that is asked for, until another one is chosen. */
function useShape(area: Area | null): [Shape, (shape: Shape) => void] {
  const asked = area === null ? "" : writeArea(area);
  const [shape, choose] = useState<Shape>(area === null ? "circle" : shapeOf(area));
  useEffect(() => {
    if (area !== null) choose(shapeOf(area));
    // Only what is asked for is looked at here.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [asked]);
  return [shape, choose];
}

interface AreaInputsProps {
  field: string;
  shape: Shape;
  area: Area | null;
  onArea: (area: Area | null) => void;
}

function AreaInputs({ field, shape, area, onArea }: AreaInputsProps): VNode {
  const id = useId();
  const { texts, reading, type, bound } = useTyped<Area, Input>({
    // One of another shape stays until there is one of this shape.
    value: area !== null && shapeOf(area) === shape ? area : null,
    textsOf: (value) => typedArea(shape, value),
    read: (typed) => readTypedArea(shape, typed),
    told: writeArea,
    onValue: onArea,
  });
  return (
    <span class="range area" {...bound}>
      {INPUTS[shape].map((name) => (
        <label key={name}>
          {SAID[name] !== "" && <span>{SAID[name]}</span>}
          <input
            type="text"
            inputMode={name === "km" ? "decimal" : undefined}
            name={name}
            autocomplete="off"
            spellcheck={false}
            placeholder={EXAMPLES[name]}
            aria-label={`${field} ${LABELS[name]}`}
            aria-invalid={reading.at.includes(name)}
            aria-describedby={reading.wrong === null ? undefined : id}
            value={texts[name] ?? ""}
            onInput={(event) => type({ [name]: event.currentTarget.value })}
            data-testid={`area-${name}`}
          />
          {name === "km" && <span>km</span>}
        </label>
      ))}
      <span id={id} class="range-wrong bad" role="alert" data-testid="area-wrong">
        {reading.wrong !== null && `${field}: ${reading.wrong}`}
      </span>
    </span>
  );
}
