"""One job's events as server-sent events: the websocket's frames, resumable, bounded, and over when the job is."""

import httpx
import msgspec
import pytest

from shared.connection import connect
from shared.events import Events, Span
from shared.keys import EVENTS
from shared.queue import Queue
from shared.settings import Settings
from tests.api.conftest import Client, MakeKey, make_collection
from tests.api.serving import Api, serving
from tests.api.stand_in import StandIn
from tests.api.streaming import Told, streaming
from tests.api.talking import talking
from tests.api.test_search import cat, problem

pytestmark = pytest.mark.anyio


async def submitted(client: Client, text: str = "wait") -> str:
    job: str = (await client.post("/v1/search", json=cat(query={"text": text}))).json()["id"]
    return job


def states(told: list[Told]) -> list[str]:
    return [one.frame["state"] for one in told]


async def test_a_job_is_told_from_now_to_its_end(client: Client, things: str, worker: StandIn) -> None:
    job = await submitted(client)
    await worker.waiting.acquire()
    async with streaming(client, job) as stream:
        first = await stream.next()
        worker.gate.set()
        rest = await stream.rest()

    assert stream.response.headers["content-type"].startswith("text/event-stream")
    assert stream.response.headers["cache-control"] == "no-store"
    assert first is not None
    assert (first.name, states([first, *rest])) == ("event", ["running", "succeeded"])
    assert rest[-1].name == "result"
    assert rest[-1].seq == rest[-1].frame["seq"] > first.seq


async def test_the_bodies_are_those_of_the_websocket_and_of_the_long_poll(
    api: Api, client: Client, things: str, worker: StandIn
) -> None:
    async with talking(api) as talk:
        await talk.search("c1", "wait")
        job = (await talk.until("accepted"))[-1]["job"]
        await worker.waiting.acquire()
        async with streaming(client, job) as stream:
            await stream.next()
            worker.gate.set()
            [end] = await stream.rest()
        pushed = (await talk.until("result"))[-1]
    polled = (await client.get(f"/v1/jobs/{job}?wait=20")).json()

    assert {**end.frame, "id": "c1"} == pushed
    assert polled["result"] == pushed["result"]


async def test_a_stream_resumes_at_another_process_without_hole_or_repeat(
    settings: Settings, things: str, worker: StandIn
) -> None:
    with serving(settings) as one, serving(settings) as two:
        async with httpx.AsyncClient(base_url=one.url, timeout=30) as client:
            job = await submitted(client)
            async with streaming(client, job) as stream:
                first = await stream.next()
        assert first is not None
        await worker.waiting.acquire()
        worker.gate.set()
        async with httpx.AsyncClient(base_url=two.url, timeout=30) as client:
            async with streaming(client, job, after=first.seq) as stream:
                rest = await stream.rest()
            async with streaming(client, job, after=rest[-1].seq) as stream:
                assert stream.response.status_code == 204
            async with streaming(client, job, after="0") as stream:
                whole = await stream.rest()

    assert states([first, *rest])[-1] == "succeeded"
    assert [state for state in ("queued", "running", "succeeded") if state in states([first, *rest])] == states(
        [first, *rest]
    )
    assert states(whole) == ["queued", "running", "succeeded"]
    assert [one.seq for one in whole] == sorted({one.seq for one in whole})


async def test_what_can_not_be_replayed_is_told_as_it_is_now(
    client: Client, settings: Settings, things: str, worker: StandIn
) -> None:
    job = await submitted(client, "a cat")
    assert (await client.get(f"/v1/jobs/{job}?wait=20")).json()["state"] == "succeeded"
    async with connect(settings) as redis:
        epoch = await Events(redis).epoch()
        await redis.xtrim(EVENTS, maxlen=1, approximate=False)
    for after in ("nonsense", f"{1:015d}-{0:010d}-{epoch}", f"{1:015d}-{0:010d}-another"):
        async with streaming(client, job, after=after) as stream:
            assert states(await stream.rest()) == ["succeeded"]


async def test_an_unknown_job_and_another_tenant_s_are_not_found(
    keyed: Api, settings: Settings, make_key: MakeKey, worker: StandIn
) -> None:
    await make_collection(settings, "ours", "things")
    ours, others = make_key("ours", "user"), make_key("others", "operator")
    async with httpx.AsyncClient(base_url=keyed.url, timeout=30, headers={"X-API-Key": ours}) as client:
        job = await submitted(client, "a cat")
        assert problem(await client.get("/v1/jobs/none/events")) == (404, "job-not-found", None)
        foreign = await client.get(f"/v1/jobs/{job}/events", headers={"X-API-Key": others})
        assert problem(foreign) == (404, "job-not-found", None)
        async with streaming(client, job) as stream:
            assert states(await stream.rest())[-1] == "succeeded"
    async with httpx.AsyncClient(base_url=keyed.url, timeout=30) as nobody:
        assert (await nobody.get(f"/v1/jobs/{job}/events")).status_code == 401


async def test_a_failed_job_ends_its_stream_too_and_a_retried_one_goes_on(
    client: Client, settings: Settings, things: str, worker: StandIn
) -> None:
    job = await submitted(client, "fail it")
    async with streaming(client, job) as stream:
        end = (await stream.rest())[-1]
    assert (end.name, end.frame["error"]["type"]) == ("result", "bad-picture")
    async with connect(settings) as redis:
        await Queue(redis, settings).retry("default", job)
    async with streaming(client, job, after=end.seq) as stream:
        again = await stream.rest()
    assert states(again) == ["queued", "running", "failed"]


async def test_an_end_that_comes_between_place_and_snapshot_is_told_once(
    client: Client, settings: Settings, things: str, worker: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    find_span = Events.span

    async def slow_span(events: Events) -> Span:
        """The job ends while its stream is being opened."""
        span = await find_span(events)
        worker.gate.set()
        assert (await client.get(f"/v1/jobs/{job}?wait=20")).json()["state"] == "succeeded"
        return span

    job = await submitted(client)
    await worker.waiting.acquire()
    monkeypatch.setattr(Events, "span", slow_span)
    async with streaming(client, job) as stream:
        [end] = await stream.rest()
    monkeypatch.setattr(Events, "span", find_span)

    assert (end.name, end.frame["state"]) == ("result", "succeeded")
    async with streaming(client, job, after=end.seq) as stream:
        assert stream.response.status_code == 204


async def test_a_quiet_stream_has_comments_and_ends_with_the_process(settings: Settings, things: str) -> None:
    with serving(msgspec.structs.replace(settings, heartbeat_s=0.02)) as api:
        async with httpx.AsyncClient(base_url=api.url, timeout=30) as client:
            job = await submitted(client)
            async with streaming(client, job) as stream:
                assert await stream.next() is not None
                await stream.comment()
                await stream.comment()
                api.server.should_exit = True
                assert await stream.rest() == []


async def test_streams_are_bounded_like_websockets_and_are_no_requests_under_way(
    settings: Settings, things: str
) -> None:
    tight = msgspec.structs.replace(settings, max_connections=2, tenant_max_connections=1, max_inflight=1)
    with serving(tight) as api:
        async with httpx.AsyncClient(base_url=api.url, timeout=30) as client:
            job = await submitted(client)
            async with streaming(client, job) as stream:
                assert await stream.next() is not None
                refused = await client.get(f"/v1/jobs/{job}/events")
                assert problem(refused) == (429, "too-many-requests", None)
                assert int(refused.headers["retry-after"]) >= 1
                async with talking(api, welcomed=False) as talk:
                    assert await talk.code() == 1013
                assert (await client.get(f"/v1/jobs/{job}")).status_code == 200
