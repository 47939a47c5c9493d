"""A lane's places: free again when a job's code is through, however slow Redis is to hear of it."""

from collections.abc import AsyncIterator
from time import monotonic

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clock import now_ms
from shared.connection import connect
from shared.pipe import Pipe
from shared.settings import Settings
from workers.claiming import Claims
from workers.outcome import Running
from workers.taking import Taking

pytestmark = pytest.mark.anyio

PLACES = 3


@pytest.fixture
async def taking(settings: Settings) -> AsyncIterator[Taking]:
    async with connect(settings) as redis:
        pipe = Pipe(redis)
        yield a_taking(pipe, settings)
        pipe.close()


def a_taking(pipe: Pipe, settings: Settings) -> Taking:
    claims = Claims(pipe, settings, worker_id="w1")
    return Taking("interactive", places=PLACES, pipe=pipe, claims=claims, start=lambda _: None, hand_back=_never)


async def _never(running: Running) -> None:
    raise AssertionError(f"{running.job_id} was handed back")


def a_job(number: int) -> Running:
    return Running(
        job_id=f"job-{number}",
        lane="interactive",
        due_ms=now_ms(),
        first_ms=now_ms(),
        attempts=1,
        crashes=0,
        expires_ms=None,
        deadline=monotonic() + 30,
    )


async def test_a_place_is_free_before_redis_has_heard_of_the_job_and_only_once(taking: Taking) -> None:
    job = a_job(1)
    taking.free -= 1
    taking.finishing(job)
    assert taking.free == PLACES
    taking.give_back(job)
    assert taking.free == PLACES


@pytest.mark.parametrize("wait_s", [0.0001, 0.001, 0.0011, 0.002])
async def test_however_short_the_wait_it_ends(settings: Settings, wait_s: float) -> None:
    """One that did not would keep what falls due in a millisecond until the connection is given up."""
    async with connect(settings) as redis:
        claims = Claims(Pipe(redis), settings, worker_id="w1")
        assert (await claims.take({"interactive": 1}, wait_s=wait_s)).jobs == []


async def test_places_are_given_away_early_only_as_often_as_there_are_places(taking: Taking) -> None:
    jobs = [a_job(number) for number in range(2 * PLACES)]
    for job in jobs:
        taking.free -= 1
        taking.finishing(job)
    assert taking.free == 0
    for job in jobs:
        taking.give_back(job)
    assert taking.free == PLACES


@given(order=st.lists(st.sampled_from(["take", "through", "leave"]), max_size=60))
async def test_whatever_the_order_no_place_is_lost_or_made(order: list[str]) -> None:
    settings = Settings()
    async with connect(settings) as redis:  # never called: only places are counted here
        taking = a_taking(Pipe(redis), settings)
    running, through = [], []
    for number, step in enumerate(order):
        if step == "take" and taking.free > 0:
            taking.free -= 1
            running.append(a_job(number))
        elif step == "through" and running:
            through.append(running.pop())
            taking.finishing(through[-1])
        elif step == "leave" and through:
            taking.give_back(through.pop(0))
        assert 0 <= taking.free <= PLACES
        assert len(running) + len(through) <= 2 * PLACES
    for job in (*through, *running):
        taking.give_back(job)
    assert taking.free == PLACES
