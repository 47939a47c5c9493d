import pytest

from tests.api.conftest import Client
from tests.api.stand_in import StandIn
from tests.api.test_search import problem

pytestmark = pytest.mark.anyio

SPEC = {"group_field": "video", "payload": {"year": "integer"}}


async def test_a_collection_is_created_once_and_stays_as_it_is(client: Client, worker: StandIn) -> None:
    made = await client.put("/v1/collections/films", json=SPEC)
    same = await client.put("/v1/collections/films", json=SPEC)
    other = await client.put("/v1/collections/films", json={})

    assert (made.status_code, made.headers["location"]) == (201, "/v1/collections/films")
    assert (same.status_code, same.json()) == (200, made.json())
    assert made.json()["payload"] == {"year": "integer"}
    assert problem(other) == (409, "collection-differs", None)


async def test_collections_are_listed_by_name(client: Client, worker: StandIn) -> None:
    assert (await client.get("/v1/collections")).json() == {"collections": []}
    for name in ("zoo", "art"):
        assert (await client.put(f"/v1/collections/{name}")).status_code == 201

    listed = (await client.get("/v1/collections")).json()["collections"]

    assert [one["name"] for one in listed] == ["art", "zoo"]
    assert (await client.get("/v1/collections/art")).json() == listed[0]


async def test_a_dropped_collection_is_gone(client: Client, worker: StandIn, things: str) -> None:
    assert (await client.delete("/v1/collections/things")).status_code == 204
    assert problem(await client.delete("/v1/collections/things")) == (404, "collection-not-found", "collection")
    assert problem(await client.get("/v1/collections/things")) == (404, "collection-not-found", "collection")


async def test_a_reindex_is_a_job_of_the_bulk_lane(client: Client, worker: StandIn, things: str) -> None:
    accepted = await client.post("/v1/collections/things/reindex")
    assert accepted.status_code == 202
    assert (accepted.json()["kind"], accepted.json()["lane"]) == ("reindex", "bulk")
    ended = (await client.get(accepted.headers["location"], params={"wait": 20})).json()
    assert (ended["state"], ended["result"]["switched"]) == ("succeeded", True)
    told = await client.post("/v1/collections/things/reindex", params={"wait": 20}, json={"leave_out": True})
    assert (told.status_code, told.json()["result"]["switched"]) == (200, False)


async def test_a_reindex_of_nothing_or_of_something_odd_is_refused(client: Client, things: str) -> None:
    assert problem(await client.post("/v1/collections/none/reindex")) == (404, "collection-not-found", "collection")
    wrong = await client.post("/v1/collections/things/reindex", json={"leave_out": "yes"})
    assert problem(wrong) == (422, "invalid", "leave_out")


async def test_without_a_worker_the_job_is_left_to_wait(client: Client, things: str) -> None:
    made = await client.put("/v1/collections/films", json=SPEC)
    dropped = await client.delete("/v1/collections/things")

    assert (made.status_code, dropped.status_code) == (202, 202)
    job = (await client.get(made.headers["location"])).json()
    assert (job["kind"], job["state"], job["collection"]) == ("collection", "queued", "films")


@pytest.mark.parametrize("name", ["Upper", "-a", "a b", "x" * 64, "%2e%2e", "%00"])
async def test_a_bad_name_is_422(client: Client, name: str) -> None:
    assert problem(await client.put(f"/v1/collections/{name}")) == (422, "invalid", "name")


async def test_a_bad_spec_is_told_by_field(client: Client) -> None:
    wrong = await client.put("/v1/collections/films", json={"payload": {"year": "date"}})
    unknown = await client.put("/v1/collections/films", json={"groupfield": "x"})
    typed = await client.put("/v1/collections/films", content=b"{}", headers={"content-type": "text/plain"})

    assert problem(wrong) == (422, "invalid", "payload[...]")
    assert problem(unknown)[:2] == (422, "invalid")
    assert problem(typed)[0] == 415
