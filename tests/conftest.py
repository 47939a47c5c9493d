"""What every suite shares: a Redis of its own, settings that point to it, the queue in it, a hand that works it."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import hypothesis
import pytest
from arq.connections import ArqRedis

from shared.connection import connect
from shared.queue import Queue
from shared.settings import Settings
from tests.redis_server import RedisServer
from tests.shared.hand import Hand

# A busy machine is no failure: tests say what happens, never how fast.
hypothesis.settings.register_profile("clipline", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("clipline")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture(scope="session")
def redis_url(redis_server: RedisServer) -> str:
    return redis_server.url


@pytest.fixture
def settings(redis_server: RedisServer, tmp_path: Path) -> Settings:
    """Settings of one test: an empty Redis, an empty data folder, any free port.

    A machine that stands still for seconds does not use up a search's time for another try.
    """
    redis_server.flush()
    return Settings(redis_url=redis_server.url, data_dir=str(tmp_path / "data"), port=0, search_retry_s=60.0)


@pytest.fixture
async def redis(settings: Settings) -> AsyncIterator[ArqRedis]:
    async with connect(settings) as client:
        yield client


@pytest.fixture
def queue(redis: ArqRedis, settings: Settings) -> Queue:
    return Queue(redis, settings)


@pytest.fixture
def hand(redis: ArqRedis, settings: Settings) -> Hand:
    return Hand(redis, settings)
