/** The parts of an OpenAPI 3.1 document that the reference shows. */

export interface Schema {
  $ref?: string;
  title?: string;
  description?: string;
  type?: string | string[];
  format?: string;
  enum?: unknown[];
  const?: unknown;
  default?: unknown;
  pattern?: string;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  required?: string[];
  properties?: Record<string, Schema>;
  additionalProperties?: boolean | Schema;
  items?: Schema | boolean;
  anyOf?: Schema[];
  oneOf?: Schema[];
  allOf?: Schema[];
}

export interface Parameter {
  $ref?: string;
  name: string;
  in: string;
  required?: boolean;
  description?: string;
  schema?: Schema;
}

export interface Body {
  $ref?: string;
  description?: string;
  required?: boolean;
  content?: Record<string, { schema?: Schema; example?: unknown }>;
}

export interface Operation {
  operationId?: string;
  summary?: string;
  description?: string;
  tags?: string[];
  parameters?: Parameter[];
  requestBody?: Body;
  responses?: Record<string, Body>;
}

export interface Document {
  info: { title: string; version: string; description?: string };
  paths: Record<string, Record<string, unknown>>;
  components?: { schemas?: Record<string, Schema>; [kind: string]: unknown };
}

export interface Call {
  id: string;
  method: string;
  path: string;
  operation: Operation;
  parameters: Parameter[];
}

export interface Group {
  name: string;
  calls: Call[];
}

const METHODS = ["get", "post", "put", "patch", "delete", "head", "options"] as const;

export function isDocument(value: unknown): value is Document {
  return typeof value === "object" && value !== null && "paths" in value && "info" in value;
}

/** In the document's order, by tag, or by the path's first own word where there is none. */
export function groupsOf(document: Document): Group[] {
  const groups = new Map<string, Call[]>();
  for (const [path, item] of Object.entries(document.paths)) {
    for (const call of callsOf(document, path, item)) {
      const name = call.operation.tags?.[0] ?? topicOf(path);
      groups.set(name, [...(groups.get(name) ?? []), call]);
    }
  }
  return [...groups].map(([name, calls]) => ({ name, calls }));
}

function callsOf(document: Document, path: string, item: Record<string, unknown>): Call[] {
  const shared = (item.parameters ?? []) as Parameter[];
  return METHODS.filter((method) => method in item).map((method) => {
    const operation = item[method] as Operation;
    const parameters = [...shared, ...(operation.parameters ?? [])].map((given) => resolve(document, given));
    return { id: `${method}${path.replace(/[^A-Za-z0-9]+/g, "-")}`, method, path, operation, parameters };
  });
}

function topicOf(path: string): string {
  const words = path.split("/").filter((word) => word !== "" && !/^v\d+$/.test(word));
  return words[0]?.replace(/\.\w+$/, "") ?? "pages";
}

/** What a local `$ref` stands for; the thing itself where it is none, or leads nowhere. */
export function resolve<T extends { $ref?: string }>(document: Document, given: T): T {
  if (given.$ref?.startsWith("#/") !== true) return given;
  let found: unknown = document;
  for (const step of given.$ref.slice(2).split("/")) {
    const name = step.replace(/~1/g, "/").replace(/~0/g, "~");
    found = typeof found === "object" && found !== null ? (found as Record<string, unknown>)[name] : undefined;
  }
  return found === undefined ? given : (found as T);
}

export const nameOfRef = (ref: string): string => ref.split("/").at(-1) ?? ref;

export const anchorOf = (name: string): string => `schema-${name}`;
