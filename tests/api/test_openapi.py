from typing import Any

import httpx
import msgspec
import pytest
from jsonschema_rs import Draft202012Validator
from starlette.routing import Route

from api import openapi
from api.app import routes
from api.metrics import Metrics
from shared.errors import CliplineError
from tests.api.conftest import Client
from tests.api.stand_in import StandIn
from tests.api.test_search import cat

PAGES = {"/", "/dashboard", "/docs", "/favicon.svg", "/assets/{path:path}", "/openapi.json", "/asyncapi.json"}


def test_the_document_names_exactly_the_routes_that_exist() -> None:
    described = {(method, path) for path, methods in openapi.build()["paths"].items() for method in methods}
    served = {
        (method.lower(), route.path)
        for route in routes(Metrics())
        if isinstance(route, Route) and route.path not in PAGES
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert described == served


def test_every_reference_leads_somewhere() -> None:
    document = openapi.build()

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if "$ref" in value:
                assert value["$ref"].rpartition("/")[2] in document["components"]["schemas"]
            for one in value.values():
                walk(one)
        elif isinstance(value, list):
            for one in value:
                walk(one)

    walk(document)


def test_every_problem_has_a_slug_of_its_own() -> None:
    def below(kind: type[CliplineError]) -> list[type[CliplineError]]:
        return [kind, *(one for sub in kind.__subclasses__() for one in below(sub))]

    slugs = [kind.slug for kind in below(CliplineError) if "slug" in vars(kind)]
    assert len(slugs) == len(set(slugs))


def valid(document: dict[str, Any], response: httpx.Response, path: str) -> None:
    """The answer is one that the document promises."""
    described = document["paths"][path][response.request.method.lower()]["responses"]
    [content] = described[str(response.status_code)]["content"].values()
    schema = {**content["schema"], "components": document["components"]}
    Draft202012Validator(schema).validate(response.json())


@pytest.mark.anyio
async def test_answers_are_what_the_document_promises(client: Client, things: str, worker: StandIn) -> None:
    document = msgspec.json.decode((await client.get("/openapi.json")).content)

    valid(document, await client.post("/v1/search?wait=20", json=cat()), "/v1/search")
    valid(document, await client.post("/v1/search", json=cat(query={"text": "wait"})), "/v1/search")
    valid(document, await client.post("/v1/search", json=cat(limit=0)), "/v1/search")
    for path in ("/v1/jobs", "/v1/collections", "/v1/workers", "/v1/queues", "/healthz", "/readyz"):
        valid(document, await client.get(path), path)
    valid(document, await client.get("/v1/collections/things"), "/v1/collections/{name}")
    valid(document, await client.get("/v1/collections/things/items/3"), "/v1/collections/{name}/items/{item_id}")
