"""The OpenAPI 3.1 document, made from the types that the handlers use."""

import re
from collections.abc import Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api.answers import JSON
from api.operations import OPERATIONS, Error, Operation, Plain, Upload
from api.problems import PROBLEM_JSON
from shared.errors import Forbidden, Problem, Unauthorized, Unavailable
from shared.jobs import Search

REF = "#/components/schemas/{name}"
DESCRIPTION = """Search pictures by meaning. A request becomes a job; its result is pushed over the websocket at
`/v1/ws`, or fetched with `GET /v1/jobs/{id}?wait=`. Errors are problem details (RFC 9457)."""

UPLOAD_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["files"],
    "properties": {
        "files": {"type": "array", "minItems": 1, "items": {"type": "string", "format": "binary"}},
        "payload": {
            "description": "one JSON object for all files, or an array with one for each",
            "anyOf": [{"type": "object"}, {"type": "array", "items": {"type": ["object", "null"]}}],
        },
    },
}

Schema = dict[str, Any]
Refs = dict[Any, Schema]


async def document(request: Request[Any]) -> Response:
    return Response(encoded(), media_type=JSON)


@cache
def encoded() -> bytes:
    """Built once, when the application is created, so that no request waits for it."""
    return msgspec.json.encode(build())


def build() -> Schema:
    types = _types()
    schemas, components = schemas_of(types)
    refs = dict(zip(types, schemas, strict=True))
    return {
        "openapi": "3.1.0",
        "info": {"title": "Clipline", "version": release(), "description": DESCRIPTION},
        "servers": [{"url": "/"}],
        "paths": _paths(refs),
        "components": {
            "schemas": components,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    }


def schemas_of(types: Sequence[Any]) -> tuple[tuple[Schema, ...], Schema]:
    """A schema for each type, and the components that they refer to."""
    schemas, components = msgspec.json.schema_components(types, ref_template=REF)
    if (search := components.get(Search.__name__)) is not None:
        # It tells jobs apart in the queue; a request that is a search need not say so.
        search["required"].remove("kind")
    return schemas, components


def release() -> str:
    try:
        return version("clipline")
    except PackageNotFoundError:
        return "0"


def _types() -> list[Any]:
    """Every type that a body or an answer has, once."""
    named = [kind for one in OPERATIONS for kind in (*one.body.values(), *one.answers.values())]
    described = [kind for kind in named if kind is not None and kind is not Upload and not isinstance(kind, Plain)]
    return list(dict.fromkeys([Problem, *described]))


def _paths(refs: Refs) -> Schema:
    paths: dict[str, Schema] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation, refs)
    return paths


def _operation(operation: Operation, refs: Refs) -> Schema:
    described: Schema = {
        "operationId": _id(operation),
        "summary": operation.summary,
        "tags": [operation.tag],
        "parameters": [*_in_path(operation), *_in_query(operation), *_in_headers(operation)],
        "responses": _responses(operation, refs),
        "security": [{}] if operation.open else [{"bearer": []}, {"header": []}, {}],
    }
    if operation.body:
        content = {
            media: {"schema": UPLOAD_SCHEMA if kind is Upload else refs[kind]} for media, kind in operation.body.items()
        }
        described["requestBody"] = {"required": operation.body_required, "content": content}
    return described


def _id(operation: Operation) -> str:
    words = re.findall(r"[a-z_]+", operation.path.removeprefix("/v1"))
    return "_".join([operation.method, *words])


def _in_path(operation: Operation) -> list[Schema]:
    names = re.findall(r"{(\w+)}", operation.path)
    integer = {"type": "integer", "minimum": 0}
    return [
        {"name": name, "in": "path", "required": True, "schema": integer if name == "item_id" else {"type": "string"}}
        for name in names
    ]


def _in_query(operation: Operation) -> list[Schema]:
    schema = msgspec.json.schema(operation.params)
    properties = schema["$defs"][operation.params.__name__]["properties"]
    return [{"name": name, "in": "query", "schema": _without_null(one)} for name, one in properties.items()]


def _without_null(schema: Schema) -> Schema:
    """A query parameter is left out, it is never null."""
    kinds = [kind for kind in schema.get("anyOf", []) if kind != {"type": "null"}]
    if kinds:
        return kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
    if isinstance(values := schema.get("enum"), list):
        return {"enum": [value for value in values if value is not None]}
    return {name: value for name, value in schema.items() if name != "default" or value is not None}


def _in_headers(operation: Operation) -> list[Schema]:
    text = {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[ -~]+$"}
    return [{"name": name, "in": "header", "schema": text} for name in operation.headers]


def _responses(operation: Operation, refs: Refs) -> Schema:
    responses = {str(status): _answer(kind, refs) for status, kind in operation.answers.items()}
    for status, kinds in _errors_by_status(operation).items():
        text = "; ".join(f"`{kind.slug}`: {kind.title}" for kind in kinds)
        responses.setdefault(status, {"description": text, "content": {PROBLEM_JSON: {"schema": refs[Problem]}}})
    return dict(sorted(responses.items()))


def _errors_by_status(operation: Operation) -> dict[str, list[Error]]:
    always: tuple[Error, ...] = () if operation.open else (Unauthorized, Unavailable)
    # Without keys every request must name a local host, with them any page of another origin is refused.
    kinds: tuple[Error, ...] = (*operation.errors, *always, Forbidden)
    by_status: dict[str, list[Error]] = {}
    for kind in dict.fromkeys(kinds):
        by_status.setdefault(str(kind.status), []).append(kind)
    return by_status


def _answer(kind: Any, refs: Refs) -> Schema:
    if kind is None:
        return {"description": "nothing more to say"}
    if isinstance(kind, Plain):
        return {"description": kind.text, "content": {one: {"schema": {"type": "string"}} for one in kind.media_types}}
    return {"description": (kind.__doc__ or "").partition("\n")[0], "content": {JSON: {"schema": refs[kind]}}}
