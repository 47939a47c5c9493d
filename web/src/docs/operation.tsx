/** One call of the API. */

import type { VNode } from "preact";

import type { Body, Call, Document, Parameter } from "./openapi.ts";
import { resolve } from "./openapi.ts";
import { Prose } from "./prose.tsx";
import { Properties, Row, Type } from "./schema.tsx";

export function OperationSection({ document, call }: { document: Document; call: Call }): VNode {
  const { operation, parameters } = call;
  return (
    <section id={call.id} class="operation" data-testid="operation">
      <h3>
        <Method method={call.method} />
        <code>{call.path}</code>
      </h3>
      {operation.summary && (
        <p>
          <Prose text={operation.summary} />
        </p>
      )}
      {operation.description && operation.description !== operation.summary && (
        <p class="soft">
          <Prose text={operation.description} />
        </p>
      )}
      {parameters.length > 0 && <Parameters parameters={parameters} />}
      {operation.requestBody && <RequestBody body={resolve(document, operation.requestBody)} />}
      {operation.responses && <Responses document={document} responses={operation.responses} />}
    </section>
  );
}

export function Method({ method }: { method: string }): VNode {
  return <span class={`method method-${method}`}>{method.toUpperCase()}</span>;
}

function Parameters({ parameters }: { parameters: readonly Parameter[] }): VNode {
  return (
    <>
      <h4>Parameters</h4>
      <div class="table-wrap">
        <table>
          <tbody>
            {parameters.map((parameter) => (
              <Row
                key={`${parameter.in} ${parameter.name}`}
                name={parameter.name}
                note={<span class="soft"> in {parameter.in}</span>}
                schema={parameter.schema ?? {}}
                required={parameter.required ?? false}
                description={parameter.description}
              />
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

function RequestBody({ body }: { body: Body }): VNode {
  return (
    <>
      <h4>Body</h4>
      {body.description && <p class="soft">{body.description}</p>}
      {Object.entries(body.content ?? {}).map(([type, { schema = {}, example }]) => (
        <div key={type} class="content">
          <p>
            <code>{type}</code>
          </p>
          <Properties schema={schema} />
          {example !== undefined && <pre>{JSON.stringify(example, null, 2)}</pre>}
        </div>
      ))}
    </>
  );
}

function Responses({ document, responses }: { document: Document; responses: Record<string, Body> }): VNode {
  return (
    <>
      <h4>Answers</h4>
      <dl class="answers">
        {Object.entries(responses).map(([status, given]) => (
          <Answer key={status} status={status} body={resolve(document, given)} />
        ))}
      </dl>
    </>
  );
}

function Answer({ status, body }: { status: string; body: Body }): VNode {
  return (
    <div>
      <dt>
        <code>{status}</code>
      </dt>
      <dd>
        <Prose text={body.description ?? ""} />
        {Object.entries(body.content ?? {}).map(([type, { schema }]) => (
          <span key={type} class="soft">
            {" "}
            {schema ? <Type schema={schema} /> : <code>{type}</code>}
          </span>
        ))}
      </dd>
    </div>
  );
}
