/** Schemas as people read them: a type in a line, an object as a table. */

import type { ComponentChildren, VNode } from "preact";

import type { Schema } from "./openapi.ts";
import { anchorOf, nameOfRef } from "./openapi.ts";
import { Prose } from "./prose.tsx";
import { boundsOf, typeOf } from "./schema-text.ts";

/** References are links, so that no recursion of the schemas becomes one of ours. */
export function Type({ schema }: { schema: Schema }): VNode {
  if (schema.$ref !== undefined) return <a href={`#${anchorOf(nameOfRef(schema.$ref))}`}>{nameOfRef(schema.$ref)}</a>;
  const either = schema.anyOf ?? schema.oneOf;
  if (either) return <Choices schemas={either} word=" or " />;
  if (schema.allOf) return <Choices schemas={schema.allOf} word=" and " />;
  return <Plain schema={schema} />;
}

function Plain({ schema }: { schema: Schema }): VNode {
  const { items, additionalProperties, properties } = schema;
  if (typeof items === "object") return <Of word="list" schema={items} />;
  if (typeof additionalProperties === "object" && !properties) return <Of word="object" schema={additionalProperties} />;
  return <code>{typeOf(schema)}</code>;
}

function Of({ word, schema }: { word: string; schema: Schema }): VNode {
  return (
    <>
      {word} of <Type schema={schema} />
    </>
  );
}

function Choices({ schemas, word }: { schemas: readonly Schema[]; word: string }): VNode {
  return (
    <>
      {schemas.map((schema, index) => (
        <span key={index}>
          {index > 0 && word}
          <Type schema={schema} />
        </span>
      ))}
    </>
  );
}

export interface RowProps {
  name: string;
  note?: ComponentChildren;
  schema: Schema;
  required: boolean;
  description?: string | undefined;
}

export function Row({ name, note, schema, required, description }: RowProps): VNode {
  const bounds = boundsOf(schema);
  return (
    <tr>
      <th scope="row">
        <code>{name}</code>
        {required && <span class="required"> required</span>}
        {note}
      </th>
      <td>
        <Type schema={schema} />
        {bounds.length > 0 && <span class="soft"> · {bounds.join(" · ")}</span>}
        {description && (
          <p class="soft">
            <Prose text={description} />
          </p>
        )}
      </td>
    </tr>
  );
}

export function Properties({ schema }: { schema: Schema }): VNode {
  const properties = Object.entries(schema.properties ?? {});
  if (properties.length === 0) {
    return (
      <p>
        <Type schema={schema} />
      </p>
    );
  }
  return (
    <div class="table-wrap">
      <table>
        <tbody>
          {properties.map(([name, property]) => (
            <Row
              key={name}
              name={name}
              schema={property}
              required={schema.required?.includes(name) ?? false}
              description={property.description}
            />
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function SchemaSection({ name, schema }: { name: string; schema: Schema }): VNode {
  return (
    <section id={anchorOf(name)} class="schema" data-testid="schema">
      <h3>{name}</h3>
      {schema.description && (
        <p class="soft">
          <Prose text={schema.description} />
        </p>
      )}
      <Properties schema={schema} />
    </section>
  );
}
