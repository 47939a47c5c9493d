"""A filter that cannot be answered is told at once, with its place, over HTTP and the websocket."""

from typing import Any

import pytest

from shared.collections import Collections, from_spec
from shared.connection import connect
from shared.jobs import CollectionSpec
from shared.settings import Settings
from shared.tenants import DEFAULT_TENANT
from tests.api.conftest import Client
from tests.api.serving import Api
from tests.api.stand_in import StandIn
from tests.api.talking import talking
from tests.api.test_search import problem

pytestmark = pytest.mark.anyio


@pytest.fixture
async def films(settings: Settings) -> str:
    spec = CollectionSpec(group_field="video", payload={"year": "integer", "taken": "datetime", "title": "text"})
    async with connect(settings) as redis:
        await Collections(redis).put(DEFAULT_TENANT, from_spec("films", spec))
    return "films"


def asking(**filter_: Any) -> dict[str, Any]:
    return {"collection": "films", "query": {"text": "a cat"}, "filter": filter_}


@pytest.mark.parametrize(
    ("condition", "field"),
    [
        ({"key": "year", "match": "1999"}, "filter.must[1].match"),
        ({"key": "taken", "range": {"gt": 3}}, "filter.must[1].range"),
        ({"key": "title", "match": "cat"}, "filter.must[1].match"),
        ({"key": "year", "range": {"gt": "soon"}}, "filter.must[1].range"),
        ({"key": "year", "match": 1, "is_null": True}, "filter.must[1]"),
        ({"key": "year", "is": 1}, "filter.must[1]"),
        ({"key": "a..b", "is_null": True}, "filter.must[1].key"),
    ],
)
async def test_a_wrong_condition_is_named(client: Client, films: str, condition: dict[str, Any], field: str) -> None:
    asked = asking(must=[{"key": "year", "match": 1999}, condition])
    assert problem(await client.post("/v1/search", json=asked)) == (422, "invalid", field)


async def test_the_websocket_names_it_too_and_goes_on(api: Api, films: str, worker: StandIn) -> None:
    async with talking(api) as talk:
        await talk.say("search", id="c1", search=asking(must=[{"key": "year", "match": "1999"}]))
        wrong = (await talk.until("error"))[-1]
        await talk.say("search", id="c2", search=asking(must=[{"key": "year", "match": 1999}]))
        right = (await talk.until("result"))[-1]

    assert (wrong["error"]["status"], wrong["error"]["field"]) == (422, "search.filter.must[0].match")
    assert right["state"] == "succeeded"


@pytest.mark.parametrize(("levels", "status"), [(50, 422), (20_000, 400)])
async def test_a_filter_that_is_too_deep_says_so(
    api: Api, client: Client, films: str, levels: int, status: int
) -> None:
    inner = '{"must":[' * levels + '{"key":"year","match":1}' + "]}" * levels
    body = f'{{"collection":"films","query":{{"text":"a"}},"filter":{inner}}}'

    told = await client.post("/v1/search", content=body, headers={"content-type": "application/json"})
    assert problem(told)[0] == status
    assert "deep" in told.json()["detail"]
    async with talking(api) as talk:
        await talk.connection.send(f'{{"op":"search","id":"c1","search":{body}}}')
        if status == 422:
            assert "deep" in (await talk.until("error"))[-1]["error"]["detail"]
        else:
            assert await talk.code() == 1007


async def test_facets_are_counted(client: Client, films: str, worker: StandIn) -> None:
    asked = {"fields": ["video", "year"], "filter": {"must": [{"key": "year", "match": 1999}]}, "limit": 1}
    told = await client.post("/v1/collections/films/facets", json=asked)
    assert told.status_code == 200
    values = [{"value": "cat", "count": 3}]
    assert told.json() == {"facets": [{"field": "video", "values": values}, {"field": "year", "values": values}]}


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"fields": []}, "fields"),
        ({"fields": ["year"] * 17}, "fields"),
        ({"fields": ["year", "taken"]}, "fields[1]"),
        ({"fields": ["undeclared"]}, "fields[0]"),
        ({"fields": ["year"], "limit": 0}, "limit"),
        ({"fields": ["year"], "filter": {"must": [{"key": "year", "match": "1999"}]}}, "filter.must[0].match"),
    ],
)
async def test_facets_that_cannot_be_counted_are_named(
    client: Client, films: str, asked: dict[str, Any], field: str
) -> None:
    assert problem(await client.post("/v1/collections/films/facets", json=asked)) == (422, "invalid", field)
    assert problem(await client.post("/v1/collections/unknown/facets", json=asked))[0] == 404


async def test_neighbours_are_told_around_the_item(client: Client, films: str, things: str, worker: StandIn) -> None:
    place = "/v1/collections/films/items"
    told = (await client.get(f"{place}/7/neighbours?before=2&after=1")).json()
    assert (told["group"], told["item"]["id"]) == ("v", 7)
    assert [[item["id"] for item in told[side]] for side in ("before", "after")] == [[5, 6], [8]]
    assert len((await client.get(f"{place}/7/neighbours")).json()["after"]) == 3
    assert problem(await client.get(f"{place}/500/neighbours"))[:2] == (404, "item-not-found")
    assert problem(await client.get(f"{place}/7/neighbours?before=101")) == (422, "invalid", "before")
    assert problem(await client.get("/v1/collections/things/items/7/neighbours"))[::2] == (422, "name")
