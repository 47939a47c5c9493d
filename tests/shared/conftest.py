"""An empty Redis and the writing side of the queue for each test."""

from collections.abc import AsyncIterator

import pytest
from arq.connections import ArqRedis

from shared.connection import connect
from shared.events import Events
from shared.ledger import Ledger
from shared.queue import Queue
from shared.settings import Settings
from tests.shared.hand import Hand


@pytest.fixture
async def redis(settings: Settings) -> AsyncIterator[ArqRedis]:
    async with connect(settings) as client:
        yield client


@pytest.fixture
def queue(redis: ArqRedis, settings: Settings) -> Queue:
    return Queue(redis, settings)


@pytest.fixture
def ledger(redis: ArqRedis) -> Ledger:
    return Ledger(redis)


@pytest.fixture
def events(redis: ArqRedis) -> Events:
    return Events(redis)


@pytest.fixture
def hand(redis: ArqRedis, settings: Settings) -> Hand:
    return Hand(redis, settings)
