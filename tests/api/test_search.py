import base64
from typing import Any

import httpx
import pytest

from shared.settings import Settings
from tests.api.conftest import Client
from tests.api.stand_in import StandIn

pytestmark = pytest.mark.anyio

PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)


def cat(**more: Any) -> dict[str, Any]:
    return {"collection": "things", "query": {"text": "a cat"}, **more}


def problem(response: httpx.Response) -> tuple[int, str, str | None]:
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == response.status_code
    assert body["title"]
    return response.status_code, body["type"], body.get("field")


async def test_a_search_is_accepted_with_its_address(client: Client, things: str) -> None:
    response = await client.post("/v1/search", json=cat())

    assert response.status_code == 202
    body = response.json()
    assert (body["state"], body["lane"], body["kind"], body["position"]) == ("queued", "interactive", "search", 0)
    assert response.headers["location"] == f"/v1/jobs/{body['id']}"
    assert (await client.get(response.headers["location"])).json()["state"] == "queued"


async def test_who_waits_gets_the_finished_job(client: Client, things: str, worker: StandIn) -> None:
    response = await client.post("/v1/search?wait=20", json=cat(limit=3))

    assert response.status_code == 200
    job = response.json()
    assert job["state"] == "succeeded"
    assert [hit["id"] for hit in job["result"]["hits"]] == [0, 1, 2]
    assert job["result"]["hits"][0]["payload"] == {"label": "a cat"}
    assert job["finished_at"].endswith("Z")


async def test_a_wait_that_is_too_short_is_answered_with_202(client: Client, things: str) -> None:
    response = await client.post("/v1/search?wait=0.05", json=cat())

    assert (response.status_code, response.json()["state"]) == (202, "queued")


async def test_a_failed_search_says_why(client: Client, things: str, worker: StandIn) -> None:
    job = (await client.post("/v1/search?wait=20", json=cat(query={"text": "fail now"}))).json()

    assert (job["state"], job["error"]["type"], job["result"]) == ("failed", "bad-picture", None)


async def test_a_picture_travels_to_the_worker_beside_the_job(client: Client, things: str, worker: StandIn) -> None:
    query = {"image": base64.b64encode(PNG).decode()}

    response = await client.post("/v1/search?wait=20", json=cat(query=query))

    assert response.json()["state"] == "succeeded"
    assert worker.searched[0].query.image == b"\0"


async def test_the_steps_of_a_sequence_reach_the_worker(client: Client, things: str, worker: StandIn) -> None:
    picture = base64.b64encode(PNG).decode()
    then = [{"query": {"text": "a dog"}, "within_s": 5}, {"query": {"image": picture}}]

    response = await client.post("/v1/search?wait=20", json=cat(group_by="video", then=then))

    assert response.json()["state"] == "succeeded"
    assert [(one.query.text, one.within_s) for one in worker.searched[0].then] == [("a dog", 5.0), (None, 30.0)]
    assert worker.searched[0].then[1].query.image == PNG
    assert response.json()["text"] == "a cat → a dog"


BAD: list[tuple[dict[str, Any], str, str | None]] = [
    (cat(query={"text": ""}), "invalid", "query.text"),
    (cat(query={"text": "   "}), "invalid", "query"),
    (cat(query={"text": "x" * 1001}), "invalid", "query.text"),
    (cat(query={}), "invalid", "query"),
    (cat(query={"text": 7}), "invalid", "query.text"),
    (cat(query={"text": "a", "txet": "b"}), "invalid", "query"),
    (cat(query={"image": "$$$"}), "invalid", "query.image"),
    (cat(query={"image": base64.b64encode(b"no picture at all").decode()}), "bad-picture", "query.image"),
    (cat(query={"item": -1}), "invalid", "query.item"),
    (cat(query={"item": 2**53}), "invalid", "query.item"),
    (cat(limit=0), "invalid", "limit"),
    (cat(limit=10_000), "invalid", "limit"),
    (cat(limit="many"), "invalid", "limit"),
    (cat(limitt=1), "invalid", None),
    (cat(slot="main"), "invalid", None),
    (cat(lane="fast"), "invalid", "lane"),
    (cat(deadline_ms=0), "invalid", "deadline_ms"),
    (cat(seen=list(range(100_001))), "invalid", "seen"),
    (cat(seen=list(range(60_000)), exclude={"ids": list(range(60_000))}), "invalid", "seen"),
    (cat(filter={"must": [{"key": "a"}]}), "invalid", "filter.must[0]"),
    (cat(filter={"must": [{"key": "a", "match": 10**30}]}), "invalid", "filter.must[0].match"),
    ({"query": {"text": "a cat"}}, "invalid", None),
    (cat(collection="../etc"), "invalid", "collection"),
    (cat(then=[{"query": {"text": "b"}}]), "invalid", "then"),
    (cat(then=[{"query": {"text": "b"}}] * 4), "invalid", "then"),
    (cat(group_by="g", then=[{"query": {}}]), "invalid", "then[0].query"),
    (cat(group_by="g", then=[{"query": {"text": "x" * 1001}}]), "invalid", "then[0].query.text"),
    (
        cat(group_by="g", then=[{"query": {"image": base64.b64encode(b"no").decode()}}]),
        "bad-picture",
        "then[0].query.image",
    ),
    (cat(group_by="g", then=[{"query": {"text": "b"}, "within_s": 0}]), "invalid", "then[0].within_s"),
    (cat(group_by="g", then=[{"query": {"text": "b"}, "within_s": 1e9}]), "invalid", "then[0].within_s"),
]


@pytest.mark.parametrize(("body", "slug", "field"), BAD)
async def test_what_is_wrong_with_a_search_is_told_by_field(
    client: Client, things: str, body: dict[str, Any], slug: str, field: str | None
) -> None:
    assert problem(await client.post("/v1/search", json=body)) == (422, slug, field)
    assert (await client.get("/v1/jobs")).json() == {"jobs": [], "next": None}


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[", b"[" * 100_000, b'{"collection": "\\ud800"'])
async def test_malformed_json_is_400(client: Client, body: bytes) -> None:
    response = await client.post("/v1/search", content=body, headers={"content-type": "application/json"})

    assert problem(response) == (400, "bad-request", None)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_another_content_type_is_415(client: Client, kind: str) -> None:
    response = await client.post("/v1/search", content=b"{}", headers={"content-type": kind})

    assert problem(response) == (415, "unsupported-media-type", None)


async def test_a_large_body_is_413_announced_or_not(client: Client, settings: Settings) -> None:
    async def chunks() -> Any:
        for _ in range(settings.max_body_bytes // 2**16 + 2):
            yield b" " * 2**16

    kind = {"content-type": "application/json"}
    announced = await client.post("/v1/search", content=b" " * (settings.max_body_bytes + 1), headers=kind)
    streamed = await client.post("/v1/search", content=chunks(), headers=kind)

    assert problem(announced) == problem(streamed) == (413, "too-large", None)


async def test_an_unknown_collection_or_session_is_404_at_once(client: Client, things: str) -> None:
    unknown = await client.post("/v1/search", json=cat(collection="nothing"))
    lost = await client.post("/v1/search", json=cat(session="nobody", slot="main"))

    assert problem(unknown) == (404, "collection-not-found", "collection")
    assert problem(lost) == (404, "session-not-found", None)


@pytest.mark.parametrize("wait", ["31", "-1", "soon", "nan", "inf"])
async def test_a_wait_beyond_the_bound_is_422(client: Client, things: str, wait: str) -> None:
    assert problem(await client.post(f"/v1/search?wait={wait}", json=cat())) == (422, "invalid", "wait")


async def test_unknown_and_repeated_parameters_are_422(client: Client, things: str) -> None:
    assert (await client.post("/v1/search?wiat=3", json=cat())).status_code == 422
    assert (await client.post("/v1/search?wait=0&wait=1", json=cat())).status_code == 422


async def test_an_idempotency_key_gives_the_first_job_again(client: Client, things: str) -> None:
    key = {"idempotency-key": "once"}
    first = await client.post("/v1/search", json=cat(), headers=key)
    again = await client.post("/v1/search", json=cat(), headers=key)
    other = await client.post("/v1/search", json=cat(limit=3), headers=key)

    assert first.json()["id"] == again.json()["id"]
    assert problem(other) == (409, "idempotency-key-reused", None)
    assert problem(await client.post("/v1/search", json=cat(), headers={"idempotency-key": "x" * 129}))[0] == 400


async def test_a_newer_search_takes_the_slot(client: Client, things: str) -> None:
    session = (await client.post("/v1/sessions")).json()["session"]
    older = (await client.post("/v1/search", json=cat(session=session, slot="main"))).json()["id"]
    await client.post("/v1/search", json=cat(session=session, slot="main"))

    job = (await client.get(f"/v1/jobs/{older}?wait=10")).json()
    assert (job["state"], job["error"]["type"]) == ("superseded", "superseded")


async def test_the_words_of_several_texts_are_told_to_people(client: Client, things: str) -> None:
    query = {"text": "fox", "texts": [{"text": "snow", "weight": 2}, {"text": "dog", "weight": -1}]}
    job = (await client.post("/v1/search", json=cat(query=query))).json()["id"]
    assert (await client.get(f"/v1/jobs/{job}")).json()["text"] == "fox, snow, -dog"
    long = cat(query={"texts": [{"text": "a"}, {"text": "x" * 1001}]})
    assert problem(await client.post("/v1/search", json=long)) == (422, "invalid", "query.texts[1].text")
