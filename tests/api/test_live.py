import asyncio
import json
from typing import Any

import httpx
import msgspec
import pytest

from shared.settings import Settings
from tests.api.conftest import Client, MakeKey, make_collection
from tests.api.serving import Api, serving
from tests.api.stand_in import StandIn
from tests.api.talking import Frame, talking

pytestmark = pytest.mark.anyio


def states(frames: list[Frame]) -> list[str]:
    return [frame["state"] for frame in frames if "state" in frame]


async def test_a_search_is_accepted_followed_and_answered(api: Api, things: str, worker: StandIn) -> None:
    async with talking(api) as talk:
        await talk.search("c1", limit=2)
        frames = await talk.until("result")

    assert [frame["op"] for frame in frames] == ["accepted", "event", "event", "result"]
    assert {frame["id"] for frame in frames} == {"c1"}
    assert states(frames) == ["queued", "running", "succeeded"]
    assert [hit["id"] for hit in frames[-1]["result"]["hits"]] == [0, 1]
    assert "error" not in frames[-1]
    seqs = [talk.welcome["seq"], *(frame["seq"] for frame in frames if "seq" in frame)]
    assert seqs == sorted(set(seqs))


async def test_a_failed_search_has_its_one_terminal_frame_too(api: Api, things: str, worker: StandIn) -> None:
    async with talking(api) as talk:
        await talk.search("c1", "fail please")
        last = (await talk.until("result"))[-1]

    assert (last["state"], last["error"]["type"]) == ("failed", "bad-picture")
    assert "result" not in last


async def test_a_slot_supersedes_without_naming_the_session(api: Api, things: str, worker: StandIn) -> None:
    async with talking(api) as talk:
        await talk.search("old", "wait for it", slot="main")
        await worker.waiting.acquire()
        await talk.search("new", slot="main")
        ended = [await talk.until("result"), await talk.until("result")]

    assert sorted((frames[-1]["id"], frames[-1]["state"]) for frames in ended) == [
        ("new", "succeeded"),
        ("old", "superseded"),
    ]


async def test_a_job_of_the_session_that_came_over_http_is_pushed(
    api: Api, client: Client, things: str, worker: StandIn
) -> None:
    async with talking(api) as talk:
        body = {"collection": "things", "query": {"text": "x"}, "session": talk.welcome["session"]}
        job = (await client.post("/v1/search", json=body)).json()["id"]
        last = (await talk.until("result"))[-1]

    assert (last["id"], last["job"]) == (None, job)


async def test_cancel_ends_a_running_search(api: Api, things: str, worker: StandIn) -> None:
    async with talking(api) as talk:
        await talk.search("c1", "wait")
        [accepted] = await talk.until("accepted")
        await worker.waiting.acquire()
        await talk.say("cancel", job=accepted["job"])
        last = (await talk.until("result"))[-1]
        await talk.say("cancel", job=accepted["job"], id="again")
        refused = await talk.next()

    assert (last["id"], last["state"]) == ("c1", "cancelled")
    assert (refused["op"], refused["id"], refused["error"]["type"]) == ("error", "again", "job-finished")


async def test_watch_shows_a_snapshot_and_then_what_happens(
    api: Api, client: Client, things: str, worker: StandIn
) -> None:
    body = {"collection": "things", "query": {"text": "wait"}}
    job = (await client.post("/v1/search", json=body)).json()["id"]
    await worker.waiting.acquire()
    async with talking(api) as talk, talking(api) as late:
        await talk.say("watch", job=job, id="w")
        snapshot = await talk.next()
        worker.gate.set()
        last = (await talk.until("result"))[-1]
        await late.say("watch", job=job)
        at_once = await late.next()
        await late.say("ping")
        after = await late.next()

    assert (snapshot["op"], snapshot["id"], snapshot["state"]) == ("event", "w", "running")
    assert (last["id"], last["state"], last["result"]["model"]) == ("w", "succeeded", "stand-in")
    assert (at_once["op"], at_once["state"]) == ("result", "succeeded")
    assert after["op"] == "pong"


async def test_a_search_that_is_sent_again_with_its_key_is_the_same_job(
    api: Api, client: Client, things: str, worker: StandIn
) -> None:
    async with talking(api) as talk, talking(api) as other:
        await talk.search("c1", "wait", key="k")
        [first] = await talk.until("accepted")
        await worker.waiting.acquire()
        await talk.until("event", state="running")
        for name, who in (("c1", talk), ("c2", other)):
            await who.search(name, "wait", key="k")
            again = await who.next()
            assert (again["op"], again["id"], again["job"]) == ("accepted", name, first["job"])
        shown = await other.next()
        worker.gate.set()
        ends = [(await who.until("result"))[-1] for who in (talk, other)]
        await other.search("c3", "wait", key="k")
        late = await other.until("result")
        await talk.search("c1", "wait", key="k")
        await talk.say("ping")
        told = await talk.until("pong")
        jobs = (await client.get("/v1/jobs")).json()["jobs"]

    assert (shown["op"], shown["id"], shown["state"]) == ("event", "c2", "running")
    assert [(end["id"], end["state"]) for end in ends] == [("c1", "succeeded"), ("c2", "succeeded")]
    assert [(frame["op"], frame["id"]) for frame in late] == [("accepted", "c3"), ("result", "c3")]
    assert [frame["op"] for frame in told] == ["accepted", "pong"], "its end was told under this name already"
    assert len(jobs) == len(worker.searched) == 1


async def test_a_key_with_another_search_is_refused(api: Api, client: Client, things: str, worker: StandIn) -> None:
    async with talking(api) as talk, talking(api) as other:
        await talk.search("c1", "cat", key="k")
        await talk.until("result")
        await other.search("c2", "dog", key="k")
        refused = await other.next()
        await other.search("c3", "cat", key="k" * 129)
        long = await other.next()
        await other.search("c4", "dog", key="k2")
        await other.until("result", id="c4")
    body = {"collection": "things", "query": {"text": "cat"}}
    same = await client.post("/v1/search", json=body, headers={"idempotency-key": "k"})
    problem = refused["error"]
    assert (refused["op"], refused["id"], problem["status"]) == ("error", "c2", 409)
    assert problem["type"] == "idempotency-key-reused"
    assert (long["id"], long["error"]["status"], long["error"]["field"]) == ("c3", 422, "key")
    assert (same.status_code, same.json()["state"]) == (202, "succeeded")


REFUSED: list[tuple[Any, str | None, int, str]] = [
    ({"op": "sing", "id": "f"}, "f", 422, "invalid"),
    ({"op": "ping", "id": "f", "loud": True}, "f", 422, "invalid"),
    ({"op": "search", "id": "f"}, "f", 422, "invalid"),
    ({"op": "search", "id": 7, "search": {}}, None, 422, "invalid"),
    ({"op": "search", "id": "f", "search": {"collection": "things", "query": {"text": ""}}}, "f", 422, "invalid"),
    (
        {"op": "search", "id": "f", "search": {"collection": "no", "query": {"text": "a"}}},
        "f",
        404,
        "collection-not-found",
    ),
    ({"op": "watch", "job": "nothing", "id": "f"}, "f", 404, "job-not-found"),
    ({"op": "cancel", "job": "nothing", "id": "f"}, "f", 404, "job-not-found"),
    ([1, 2], None, 422, "invalid"),
    ("text", None, 422, "invalid"),
    (None, None, 422, "invalid"),
]


async def test_a_frame_that_is_not_accepted_leaves_the_socket_open(api: Api, things: str) -> None:
    async with talking(api) as talk:
        for frame, name, status, slug in REFUSED:
            await talk.connection.send(json.dumps(frame))
            answer = await talk.next()
            assert (answer["op"], answer["id"]) == ("error", name), frame
            assert (answer["error"]["status"], answer["error"]["type"]) == (status, slug), frame
        await talk.say("search", id="f", search={"collection": "things", "query": {"text": 7}})
        assert (await talk.next())["error"]["field"] == "search.query.text"
        await talk.search("f", session="another")
        assert (await talk.next())["error"]["field"] == "search.session"
        await talk.say("ping", id="p")
        assert await talk.next() == {"op": "pong", "id": "p"}


async def test_too_many_open_searches_are_refused(api: Api, things: str) -> None:
    async with talking(api) as talk:
        for number in range(65):
            await talk.search(f"c{number}")
        refused = (await talk.until("error"))[-1]

    assert (refused["id"], refused["error"]["type"]) == ("c64", "too-many-requests")
    assert refused["error"]["retry_after_s"] == 1


@pytest.mark.parametrize("message", ["", "{", b'{"op":"ping"}', "[" * 5_000])
async def test_what_is_not_json_text_closes_with_1007(api: Api, message: str | bytes) -> None:
    async with talking(api) as talk:
        await talk.connection.send(message)
        assert await talk.code() == 1007


async def test_a_frame_over_the_limit_closes_with_1009(settings: Settings) -> None:
    with serving(msgspec.structs.replace(settings, max_body_bytes=10_000)) as api:
        async with talking(api) as talk:
            await talk.connection.send(" " * 10_001)
            assert await talk.code() == 1009


async def test_one_connection_too_many_closes_with_1013(settings: Settings) -> None:
    with serving(msgspec.structs.replace(settings, max_connections=1)) as api:
        async with talking(api) as first:
            async with talking(api, welcomed=False) as second:
                assert await second.code() == 1013
            await first.say("ping")
            assert (await first.next())["op"] == "pong"


async def test_a_foreign_page_or_name_closes_with_1008(api: Api) -> None:
    for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"}):
        async with talking(api, headers=headers, welcomed=False) as talk:
            assert await talk.code() == 1008
    async with talking(api, host="evil.example", welcomed=False) as talk:
        assert await talk.code() == 1008
    async with talking(api, headers={"Origin": api.url}) as talk:
        assert not talk.welcome["recovered"]


async def test_a_key_comes_by_header_or_by_hello(keyed: Api, settings: Settings, make_key: MakeKey) -> None:
    await make_collection(settings, "ours", "things")
    key, other = make_key("ours", "viewer"), make_key("others", "user")
    async with talking(keyed, headers={"X-API-Key": key}) as talk:
        await talk.search("c1")
        job = (await talk.until("accepted"))[-1]["job"]
        await talk.say("cancel", job=job, id="no")
        assert (await talk.until("error"))[-1]["error"]["type"] == "forbidden"
    async with talking(keyed, welcomed=False) as talk:
        await talk.say("hello", key=key)
        assert (await talk.next())["op"] == "welcome"
        await talk.say("hello", key=other)
        assert await talk.code() == 1008
    async with talking(keyed, headers={"Authorization": f"Bearer {other}"}) as talk:
        await talk.say("watch", job=job)
        assert (await talk.next())["error"]["type"] == "job-not-found"


@pytest.mark.parametrize("first", [{"op": "ping"}, {"op": "hello", "key": "clk_wrong"}, {"op": "hello"}, 7])
async def test_without_a_good_key_the_socket_closes_with_1008(keyed: Api, first: Any) -> None:
    async with talking(keyed, welcomed=False) as talk:
        await talk.connection.send(json.dumps(first))
        assert await talk.code() == 1008


async def test_the_end_of_the_process_closes_with_1001(settings: Settings) -> None:
    with serving(settings) as api:
        async with talking(api) as talk:
            api.server.should_exit = True
            assert await talk.code() == 1001


async def test_the_end_of_the_process_answers_long_polls(settings: Settings, things: str) -> None:
    with serving(settings) as api:
        async with httpx.AsyncClient(base_url=api.url, timeout=60) as client, talking(api) as talk:
            await talk.search("c1")
            job = (await talk.until("accepted"))[-1]["job"]
            looking = asyncio.create_task(client.get(f"/v1/jobs/{job}?wait=30"))
            shown = ""
            while "clipline_inflight_requests 1" not in shown:
                shown = (await client.get("/metrics")).text
            api.server.should_exit = True
            assert (await looking).json()["state"] == "queued"
