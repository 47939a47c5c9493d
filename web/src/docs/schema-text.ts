/** A schema in few words. */

import { count } from "../ui/format.ts";
import type { Schema } from "./openapi.ts";

/** The bounds of a value, or of each of its choices, as one would say them. */
export function boundsOf(schema: Schema): string[] {
  return [schema, ...(schema.anyOf ?? []), ...(schema.oneOf ?? [])].flatMap(ownBounds);
}

function ownBounds(schema: Schema): string[] {
  return [
    range("", schema.minimum, schema.maximum),
    over(schema.exclusiveMinimum),
    under(schema.exclusiveMaximum),
    range(" characters", schema.minLength, schema.maxLength),
    range(" items", schema.minItems, schema.maxItems),
    schema.pattern === undefined ? "" : `matches ${schema.pattern}`,
    schema.default === undefined || schema.default === null ? "" : `default ${JSON.stringify(schema.default)}`,
  ].filter((bound) => bound !== "");
}

function range(unit: string, low: number | undefined, high: number | undefined): string {
  if (low !== undefined && high !== undefined) return `${count(low)} to ${count(high)}${unit}`;
  if (low !== undefined) return `at least ${count(low)}${unit}`;
  return high === undefined ? "" : `at most ${count(high)}${unit}`;
}

const over = (bound: number | undefined): string => (bound === undefined ? "" : `over ${count(bound)}`);
const under = (bound: number | undefined): string => (bound === undefined ? "" : `under ${count(bound)}`);

/** The types of a schema without references: "string", "integer or null", an enumeration's values. */
export function typeOf(schema: Schema): string {
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  const types = Array.isArray(schema.type) ? schema.type : [schema.type ?? (schema.properties ? "object" : "any")];
  return types.map((type) => (schema.format ? `${type} (${schema.format})` : type)).join(" or ");
}
