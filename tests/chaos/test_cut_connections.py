"""Connections are cut at random and an API process is killed: every result arrives once, in order, at any process.

300 searches here, CLIPLINE_TEST_CHAOS_JOBS of them in a soak; CLIPLINE_TEST_CHAOS_SEED repeats a run.
"""

import asyncio
import logging
import os
import random
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.sequence import to_seq
from shared.collections import Collections, from_spec
from shared.connection import connect
from shared.events import START, Event, Events, of_jobs
from shared.jobs import FINAL, CollectionSpec
from shared.settings import Settings
from shared.tenants import DEFAULT_TENANT
from tests.chaos.apis import ApiProcesses
from tests.chaos.person import Person
from tests.chaos.processes import Processes
from tests.redis_server import RedisServer

logger = logging.getLogger(__name__)

pytestmark = pytest.mark.anyio

SEARCHES = int(os.environ.get("CLIPLINE_TEST_CHAOS_JOBS", "300"))
SEED = int(os.environ.get("CLIPLINE_TEST_CHAOS_SEED", "0")) or random.randrange(1, 2**32)
PEOPLE = 20


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with RedisServer() as started:
        yield started


@pytest.fixture
def settings(server: RedisServer, tmp_path: Path) -> Settings:
    return Settings(
        redis_url=server.url,
        data_dir=str(tmp_path),
        max_queued_interactive=10_000,
        keep_jobs=4 * SEARCHES + 10_000,
        keep_events=20 * SEARCHES + 10_000,
        log_level="error",
    )


class Progress:
    """Tells when a share of all searches is answered."""

    def __init__(self) -> None:
        self.answered = 0
        self._marks = {share: asyncio.Event() for share in (1 / 3, 2 / 3)}

    def count(self) -> None:
        self.answered += 1
        for share, mark in self._marks.items():
            if self.answered >= share * SEARCHES:
                mark.set()

    async def reached(self, share: float) -> None:
        await self._marks[share].wait()


async def kill_one_and_start_it_again(apis: ApiProcesses, progress: Progress) -> None:
    victim = apis.ports[0]
    await progress.reached(1 / 3)
    apis.kill(victim)
    await progress.reached(2 / 3)
    apis.start(victim)


async def happened(settings: Settings) -> dict[str, list[Event]]:
    """By session, all of it, in order."""
    by_session = defaultdict(list)
    async with connect(settings) as redis:
        events = Events(redis)
        for event in of_jobs(await events.between(START, await events.last())):
            by_session[event.session or ""].append(event)
    return by_session


@pytest.mark.timeout(120 + SEARCHES)
async def test_every_result_arrives_once_and_in_order(settings: Settings, tmp_path: Path) -> None:
    logger.info("seed %d", SEED)
    draw = random.Random(SEED)
    async with connect(settings) as redis:
        await Collections(redis).put(DEFAULT_TENANT, from_spec("chaos", CollectionSpec()))
    with Processes(settings, tmp_path / "runs") as workers, ApiProcesses(settings, 2) as apis:
        workers.start()
        progress = Progress()
        people = [
            Person(
                f"p{number}",
                searches=len(range(number, SEARCHES, PEOPLE)),
                # One of them is dead for a while: then the next attempt may find the other.
                url=lambda: apis.url(draw.choice(apis.ports)),
                on_answer=progress.count,
                seed=draw.getrandbits(32),
            )
            for number in range(PEOPLE)
        ]
        await asyncio.gather(kill_one_and_start_it_again(apis, progress), *(person.search() for person in people))
        truth = await happened(settings)
        async with connect(settings) as redis:
            epoch = await Events(redis).epoch()

    cuts, ends = sum(person.cuts for person in people), 0
    for person in people:
        assert person.not_recovered == 0
        heard = [(frame["seq"], frame["job"], frame["state"]) for frame in person.told]
        all_ = [(to_seq(event.offset, epoch), event.job, event.state) for event in truth[person.session or ""]]
        assert heard == all_
        results = [frame["job"] for frame in person.told if frame["op"] == "result"]
        assert results == [job for _, job, state in heard if state in FINAL]
        assert len(results) == len(set(results))
        ends += len(results)
    logger.info("%d results over %d connections, each once and in order", ends, cuts)
    assert ends == SEARCHES
