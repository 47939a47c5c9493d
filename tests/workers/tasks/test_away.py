"""When the vector store is away: jobs are tried again, searches for as long as a person waits."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from shared import keys
from shared.collections import from_spec
from shared.connection import connect
from shared.events import START, Events, of_jobs
from shared.jobs import CollectionSpec, Ingest, IngestResult, Items, Query, Search
from shared.settings import Settings
from tests.redis_server import RedisServer
from tests.workers.fleet import eventually
from tests.workers.tasks.stack import Stack, settings_for, working

pytestmark = pytest.mark.anyio


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def own(redis_server: RedisServer, tiny_model: Path, tmp_path: Path) -> Settings:
    redis_server.flush()
    return settings_for(redis_server.url, tiny_model, tmp_path)


async def states_of(stack: Stack, job_id: str) -> list[str]:
    events = Events(stack.parts.redis)
    return [event.state for event in of_jobs(await events.between(START, await events.last())) if event.job == job_id]


async def test_searches_and_ingests_are_tried_again_until_they_are_given_up(own: Settings, unused_port: int) -> None:
    away = msgspec.structs.replace(
        own, store=f"http://127.0.0.1:{unused_port}", max_tries=2, search_retry_s=60.0, ingest_retry_s=60.0
    )
    async with working(away) as stack:
        made = from_spec("p", CollectionSpec())
        await stack.parts.collections.put(
            "t", msgspec.structs.replace(made, model=stack.parts.encoder.info.fingerprint)
        )
        for job in (
            Search(collection="p", query=Query(text="cat")),
            Items(collection="p", ids=[1]),
            Ingest(collection="p", files=[stack.file("a.png")]),
        ):
            view = await stack.run(job)
            assert (view.state, view.attempts) == ("dead", 2)
            assert view.error is not None
            assert (view.error.type, view.error.status, view.error.retryable) == ("store-away", 503, True)
            assert view.error.retry_after_s is not None
            assert [one.problem.type for one in view.history] == ["store-away", "store-away"]
            assert await states_of(stack, view.id) == ["queued", "running", "queued", "running", "dead"]


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """As when another process has the embedded store's folder."""
    descriptor = os.open(folder / ".lock", os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    try:
        yield
    finally:
        os.close(descriptor)


async def test_an_ingest_goes_on_when_the_store_is_back(own: Settings) -> None:
    patient = msgspec.structs.replace(own, max_tries=50)
    async with working(patient) as stack:
        await stack.create(name="p")
    with held(patient.store_path):
        opened = working(patient)
        stack = await opened.__aenter__()
        sent = await stack.queue.submit(Ingest(collection="p", files=[stack.file("a.png")]), tenant="t")
        await eventually(lambda: _released_for_later(stack, sent.id))
    try:
        view = await stack.queue.wait("t", sent.id, timeout_s=60)
    finally:
        await opened.__aexit__(None, None, None)
    assert view.state == "succeeded"
    assert view.attempts >= 2
    assert msgspec.convert(view.result, IngestResult).added == 1


async def _released_for_later(stack: Stack, job_id: str) -> bool:
    """Tried once at least, and due after that."""
    states = await states_of(stack, job_id)
    due = await stack.parts.redis.zscore(keys.queue("bulk"), job_id)
    created = await stack.parts.redis.hget(keys.record(job_id), "created")
    return "queued" in states[1:] and due > float(created or 0)


async def test_a_job_that_waits_for_the_store_can_be_cancelled(own: Settings, unused_port: int) -> None:
    away = msgspec.structs.replace(own, store=f"http://127.0.0.1:{unused_port}", max_tries=1_000)
    async with working(away) as stack, connect(away) as redis:
        made = from_spec("p", CollectionSpec())
        await stack.parts.collections.put("t", made)
        sent = await stack.queue.submit(Ingest(collection="p", files=[stack.file("a.png")]), tenant="t")
        await eventually(lambda: _released_for_later(stack, sent.id))
        await stack.queue.cancel("t", sent.id)
        view = await stack.queue.wait("t", sent.id, timeout_s=30)
        assert view.state == "cancelled"
        assert await redis.zcard(keys.queue("bulk")) == 0
        await eventually(lambda: not stack.parts.batcher.stats().queued)
