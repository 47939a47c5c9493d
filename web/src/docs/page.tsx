/** The API's reference, made from the document that the API itself serves. */

import type { VNode } from "preact";
import { useCallback, useEffect, useState } from "preact/hooks";

import type { Problem } from "../client/contract.ts";
import { HttpClient } from "../client/http.ts";
import { localProblem, problemOf } from "../client/problem.ts";
import { Header } from "../ui/header.tsx";
import { Failure } from "../ui/notice.tsx";
import { readKey } from "../ui/key.ts";
import type { Document, Group } from "./openapi.ts";
import { anchorOf, groupsOf, isDocument } from "./openapi.ts";
import { Method, OperationSection } from "./operation.tsx";
import { Prose } from "./prose.tsx";
import { SchemaSection } from "./schema.tsx";

const http = new HttpClient({ key: readKey });

export function DocsPage(): VNode {
  const { document, problem, reload } = useDocument();
  return (
    <>
      <Header page="docs" />
      {problem !== null && <Failure problem={problem} onRetry={reload} />}
      {document === null && problem === null && <p class="loading soft">Loading…</p>}
      {document !== null && <Reference document={document} />}
    </>
  );
}

interface Loaded {
  document: Document | null;
  problem: Problem | null;
  reload: () => void;
}

function useDocument(): Loaded {
  const [document, setDocument] = useState<Document | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [asked, setAsked] = useState(0);
  const reload = useCallback(() => setAsked((before) => before + 1), []);
  useEffect(() => {
    setProblem(null);
    load().then(setDocument, (error: unknown) => setProblem(problemOf(error)));
  }, [asked]);
  useEffect(() => {
    // The anchor of the address came before the place that it names.
    if (document !== null && location.hash !== "") byId(location.hash.slice(1))?.scrollIntoView();
  }, [document]);
  return { document, problem, reload };
}

const byId = (id: string): HTMLElement | null => window.document.getElementById(decodeURIComponent(id));

async function load(): Promise<Document> {
  const document = await http.openapi();
  if (isDocument(document)) return document;
  throw localProblem("bad-document", "This is no API description", "openapi.json is not an OpenAPI document.", false);
}

function Reference({ document }: { document: Document }): VNode {
  const groups = groupsOf(document);
  const schemas = Object.entries(document.components?.schemas ?? {});
  return (
    <div class="docs">
      <Contents groups={groups} schemas={schemas.map(([name]) => name)} />
      <main data-testid="reference">
        <h1>{document.info.title}</h1>
        <p class="soft">
          Version {document.info.version} · <a href="./openapi.json">openapi.json</a>
        </p>
        {document.info.description && (
          <p class="lead">
            <Prose text={document.info.description} />
          </p>
        )}
        {groups.map(({ name, calls }) => (
          <section key={name} aria-label={name}>
            <h2 id={`group-${name}`}>{name}</h2>
            {calls.map((call) => (
              <OperationSection key={call.id} document={document} call={call} />
            ))}
          </section>
        ))}
        {schemas.length > 0 && <h2 id="schemas">Schemas</h2>}
        {schemas.map(([name, schema]) => (
          <SchemaSection key={name} name={name} schema={schema} />
        ))}
      </main>
    </div>
  );
}

function Contents({ groups, schemas }: { groups: readonly Group[]; schemas: readonly string[] }): VNode {
  return (
    <nav class="contents" aria-label="Contents">
      {groups.map(({ name, calls }) => (
        <div key={name}>
          <h2>{name}</h2>
          <ul role="list">
            {calls.map(({ id, method, path }) => (
              <li key={id}>
                <a href={`#${id}`}>
                  <Method method={method} />
                  <span>{path}</span>
                </a>
              </li>
            ))}
          </ul>
        </div>
      ))}
      <div>
        <h2>Schemas</h2>
        <ul role="list">
          {schemas.map((name) => (
            <li key={name}>
              <a href={`#${anchorOf(name)}`}>{name}</a>
            </li>
          ))}
        </ul>
      </div>
    </nav>
  );
}
