"""A connection that was lost goes on where it was: every frame once, in order, or an honest snapshot."""

import httpx
import msgspec
import pytest

from shared.connection import connect
from shared.events import Events
from shared.jobs import Query, Search
from shared.keys import EPOCH, EVENTS
from shared.queue import Queue
from shared.settings import Settings
from tests.api.conftest import MakeKey, make_collection
from tests.api.serving import Api, serving
from tests.api.stand_in import StandIn
from tests.api.talking import Frame, talking

pytestmark = pytest.mark.anyio


def told(frames: list[Frame]) -> list[tuple[str | None, str]]:
    return [(frame["id"], frame["state"]) for frame in frames if frame["op"] in {"event", "result"}]


async def test_another_process_replays_what_was_missed(settings: Settings, things: str, worker: StandIn) -> None:
    with serving(settings) as one, serving(settings) as two:
        async with talking(one) as talk:
            session = talk.welcome["session"]
            await talk.search("c1", "wait")
            seen = await talk.until("event", state="running")
        worker.gate.set()
        async with talking(two, session=session, after=seen[-1]["seq"]) as talk:
            assert talk.welcome == {"op": "welcome", "session": session, "seq": seen[-1]["seq"], "recovered": True}
            missed = await talk.until("result")
            await talk.search("c2")
            after = await talk.until("result", id="c2")

    assert told(missed) == [("c1", "succeeded")]
    assert told(after) == [("c2", "queued"), ("c2", "running"), ("c2", "succeeded")]
    assert after[-1]["seq"] > missed[-1]["seq"] > seen[-1]["seq"]


async def test_what_one_process_takes_another_pushes(settings: Settings, things: str, worker: StandIn) -> None:
    with serving(settings) as one, serving(settings) as two:
        async with httpx.AsyncClient(base_url=one.url, timeout=30) as client, talking(two) as talk:
            body = {"collection": "things", "query": {"text": "x"}, "session": talk.welcome["session"]}
            job = (await client.post("/v1/search", json=body)).json()["id"]
            pushed = (await talk.until("result"))[-1]
            polled = await client.get(f"{two.url}/v1/jobs/{job}?wait=20")

    assert (pushed["job"], pushed["state"]) == (job, "succeeded")
    assert polled.json()["result"] == pushed["result"]


async def test_all_that_is_retained_is_replayed_once_and_in_order(api: Api, things: str, worker: StandIn) -> None:
    async with talking(api) as talk:
        live: Frame = {}
        for number in range(12):
            await talk.search(f"c{number}")
            live = (await talk.until("result"))[-1]
    async with talking(api, session=talk.welcome["session"], after="0") as talk:
        frames = await talk.until("result", id="c11")

    assert talk.welcome["recovered"]
    assert told(frames) == [(f"c{n}", state) for n in range(12) for state in ("queued", "running", "succeeded")]
    seqs = [frame["seq"] for frame in frames]
    assert seqs == sorted(set(seqs))
    assert frames[-1] == live


async def test_without_after_only_what_comes_is_told(api: Api, things: str, worker: StandIn) -> None:
    async with talking(api) as talk:
        await talk.search("c1")
        await talk.until("result")
    async with talking(api, session=talk.welcome["session"]) as talk:
        await talk.search("c2")
        assert {name for name, _ in told(await talk.until("result"))} == {"c2"}


@pytest.mark.parametrize("after", ["nonsense", "-1", "000001700000000-0000000000-deadbeef", "9" * 26])
async def test_a_place_that_is_none_gives_a_snapshot(api: Api, things: str, worker: StandIn, after: str) -> None:
    async with talking(api) as talk:
        session = talk.welcome["session"]
        await talk.search("done")
        await talk.until("result")
        await talk.search("open", "wait")
        await talk.until("event", state="running")
    async with talking(api, session=session, after=after) as talk:
        assert (talk.welcome["session"], talk.welcome["recovered"]) == (session, False)
        snapshot = await talk.next()
        worker.gate.set()
        last = (await talk.until("result"))[-1]

    assert told([snapshot]) == [("open", "running")]
    assert told([last]) == [("open", "succeeded")]


async def test_a_place_that_was_trimmed_or_lies_ahead_gives_a_snapshot(
    api: Api, settings: Settings, things: str, worker: StandIn
) -> None:
    async with talking(api) as talk:
        session, first = talk.welcome["session"], talk.welcome["seq"]
        await talk.search("c1")
        last = (await talk.until("result"))[-1]["seq"]
    async with connect(settings) as redis:
        epoch = await Events(redis).epoch()
        await redis.xtrim(EVENTS, maxlen=1, approximate=False)
    ahead = f"{9 * 10**14}-{0:010d}-{epoch}"
    for after in (ahead, f"{1:015d}-{0:010d}-{epoch}"):
        async with talking(api, session=session, after=after) as again:
            assert not again.welcome["recovered"]
    async with talking(api, session=session, after=last) as again:
        assert again.welcome["recovered"]
    assert first < last


async def test_an_epoch_that_changed_gives_a_snapshot(settings: Settings, api: Api, things: str) -> None:
    async with talking(api) as talk:
        session, seq = talk.welcome["session"], talk.welcome["seq"]
    async with connect(settings) as redis:
        await redis.delete(EPOCH)
    async with talking(api, session=session, after=seq) as talk:
        assert not talk.welcome["recovered"]


async def test_an_unknown_session_gets_a_new_one(keyed: Api, settings: Settings, make_key: MakeKey) -> None:
    await make_collection(settings, "ours", "things")
    ours, others = {"X-API-Key": make_key("ours", "user")}, {"X-API-Key": make_key("others", "user")}
    async with talking(keyed, headers=ours) as talk:
        session = talk.welcome["session"]
        await talk.search("c1")
        await talk.until("accepted")
    async with talking(keyed, headers=others, session=session, after="0") as talk:
        assert talk.welcome["session"] != session
        assert not talk.welcome["recovered"]
        await talk.say("ping")
        assert (await talk.next())["op"] == "pong"


async def test_a_retried_job_has_its_old_end_told_as_history(
    api: Api, settings: Settings, things: str, worker: StandIn
) -> None:
    async with talking(api) as talk:
        session = talk.welcome["session"]
        await talk.search("c1", "fail")
        job = (await talk.until("result"))[-1]["job"]
        async with connect(settings) as redis:
            await Queue(redis, settings).retry("default", job)
        again = await talk.until("result")

    assert told(again) == [("c1", "queued"), ("c1", "running"), ("c1", "failed")]
    async with talking(api, session=session, after="0") as talk:
        frames = await talk.until("result", seq=again[-1]["seq"])
    assert told(frames)[-1] == ("c1", "failed")


async def test_a_client_that_does_not_read_is_closed_while_others_go_on_and_resumes_without_a_hole(
    settings: Settings, things: str, worker: StandIn
) -> None:
    roomy = msgspec.structs.replace(settings, max_queued_interactive=2_000)
    with serving(roomy) as api:
        async with talking(api) as slow, talking(api) as quick, connect(settings) as redis:
            # Nobody reads `slow`: its buffers and its outbox fill with large results until the verdict.
            session = slow.welcome["session"]
            search = Search(collection="things", query=Query(text="large"), limit=2, session=session)
            queue = Queue(redis, roomy)
            submitted = [await queue.submit(search, tenant="default") for _ in range(400)]
            await queue.wait("default", submitted[-1].id, timeout_s=60)
            await quick.search("q")
            assert (await quick.until("result"))[-1]["state"] == "succeeded"
            read: list[Frame] = []
            while (frame := await slow.next_or_end()) is not None:
                read.append(frame)
            assert slow.connection.close_code == 4008
        after = read[-1]["seq"] if read else slow.welcome["seq"]
        async with talking(api, session=session, after=after) as again:
            assert again.welcome["recovered"]
            while sum(frame["op"] == "result" for frame in read) < len(submitted):
                read.append(await again.next())

    ended = [frame["job"] for frame in read if frame["op"] == "result"]
    assert sorted(ended) == sorted(one.id for one in submitted)
