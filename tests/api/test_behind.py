"""An API process that was left behind by the stream never hides a hole: everybody gets a snapshot."""

import asyncio

import pytest
from arq.connections import ArqRedis

from api.dispatcher import Dispatcher, of_job
from api.positions import Positions
from api.results import Results
from shared import keys
from shared.connection import BLOCK_S, connect
from shared.events import BATCH, START, Events, News, of_jobs
from shared.jobs import Query, Search
from shared.ledger import Ledger
from shared.queue import Queue
from shared.settings import Settings
from tests.api.serving import serving
from tests.api.talking import talking

pytestmark = pytest.mark.anyio

KEPT = 700


class Held(Events):
    """Reads wait for a gate, as those of a process that gets no time to run."""

    def __init__(self, redis: ArqRedis, *, blocking: ArqRedis) -> None:
        super().__init__(redis, blocking=blocking)
        self.gate = asyncio.Event()

    async def follow(self, after: str, *, block_s: float = BLOCK_S) -> list[News]:
        await self.gate.wait()
        return await super().follow(after, block_s=block_s)


class Ear:
    """A listener that notes what it is told."""

    def __init__(self) -> None:
        self.heard: list[News] = []
        self.whole: list[bool] = []
        self.told = asyncio.Event()

    def tell(self, event: News) -> None:
        self.heard.append(event)
        self.told.set()

    def resumed(self, *, whole: bool) -> None:
        self.whole.append(whole)
        self.told.set()


async def write(redis: ArqRedis, count: int, *, job: str = "j") -> None:
    async with redis.pipeline(transaction=True) as pipe:
        for number in range(count):
            pipe.xadd(keys.EVENTS, {"t": "t", "j": job, "s": "", "c": "", "st": "running", "at": number})
        await pipe.execute()


@pytest.mark.parametrize(("before", "behind", "kept"), [(3, KEPT + 5, KEPT), (3, 40, 20), (0, 2 * KEPT, KEPT)])
async def test_events_that_were_trimmed_before_they_were_read_are_told_as_lost(
    settings: Settings, before: int, behind: int, kept: int
) -> None:
    async with connect(settings) as redis, connect(settings, blocking=True) as blocking:
        await write(redis, before)
        ear, events = Ear(), Held(redis, blocking=blocking)
        dispatcher = Dispatcher(events, Results(Ledger(redis)), stopping=asyncio.Event(), keep_events=kept)
        dispatcher.add(ear, of_job("j"))
        async with dispatcher, asyncio.timeout(30):
            await dispatcher.found_place.wait()
            ear.whole.clear()
            ear.told.clear()
            await write(redis, behind)
            await redis.xtrim(keys.EVENTS, maxlen=kept, approximate=False)
            events.gate.set()
            await ear.told.wait()
            assert (ear.whole, ear.heard) == ([False], []), "nothing after the hole before the hole is told"
            # From here on it goes on as if nothing had been.
            ear.told.clear()
            await write(redis, 1)
            await ear.told.wait()
    assert len(ear.heard) == 1


async def test_who_is_behind_but_finds_everything_hears_everything(settings: Settings) -> None:
    async with connect(settings) as redis, connect(settings, blocking=True) as blocking:
        await write(redis, 1)
        ear, events = Ear(), Held(redis, blocking=blocking)
        dispatcher = Dispatcher(events, Results(Ledger(redis)), stopping=asyncio.Event(), keep_events=KEPT)
        dispatcher.add(ear, of_job("j"))
        async with dispatcher, asyncio.timeout(30):
            await dispatcher.found_place.wait()
            await write(redis, 3 * BATCH)
            events.gate.set()
            while len(ear.heard) < 3 * BATCH:
                ear.told.clear()
                await ear.told.wait()
    assert ear.whole == [True]
    assert [event.at_ms for event in ear.heard] == list(range(3 * BATCH))


async def test_those_who_wait_learn_how_many_come_first(settings: Settings) -> None:
    async with connect(settings) as redis, connect(settings, blocking=True) as blocking:
        queue, events = Queue(redis, settings), Events(redis, blocking=blocking)
        dispatcher = Dispatcher(events, Results(Ledger(redis)), stopping=asyncio.Event())
        positions, ear = Positions(redis, dispatcher), Ear()
        async with dispatcher, asyncio.timeout(30):
            await dispatcher.found_place.wait()
            search = Search(collection="things", query=Query(text="a"))
            jobs = [(await queue.submit(search, tenant="t")).id for _ in range(3)]
            later = (await queue.submit(search, tenant="t", defer_s=60)).id
            for job in (jobs[2], later):
                dispatcher.add(ear, of_job(job))
            mark = Ear()
            dispatcher.add(mark, of_job("mark"))
            await write(redis, 1, job="mark")
            await mark.told.wait()
            await positions.look()
            await positions.look()
            await queue.cancel("t", jobs[0])
            await positions.look()
            for job in (jobs[2], later):
                dispatcher.remove(ear, of_job(job))
            await queue.cancel("t", jobs[1])
            await positions.look()
    told = [event for event in of_jobs(ear.heard) if event.position is not None]
    assert [(event.job, event.state, event.position) for event in told] == [
        (jobs[2], "queued", 2),
        (jobs[2], "queued", 1),
    ]
    assert all(event.offset != START for event in told)


async def test_a_place_in_the_queue_is_a_frame_with_a_seq_of_its_own(settings: Settings, things: str) -> None:
    with serving(settings) as api:
        async with talking(api) as talk:
            for number in range(3):
                await talk.search(f"c{number}")
            frames = await talk.until("event", position=2)
        async with talking(api, session=talk.welcome["session"], after=frames[-1]["seq"]) as again:
            assert again.welcome["recovered"]

    assert [frame["position"] for frame in frames if frame["op"] == "accepted"] == [0, 1, 2]
    last = frames[-1]
    assert (last["id"], last["state"], last["position"]) == ("c2", "queued", 2)
    seqs = [frame["seq"] for frame in frames if "seq" in frame]
    assert seqs == sorted(set(seqs))
