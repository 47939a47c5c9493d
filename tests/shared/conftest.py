"""Who reads the queue, and the hand that writes in it."""

import pytest
from arq.connections import ArqRedis

from shared.events import Events
from shared.ledger import Ledger
from shared.settings import Settings
from tests.shared.hand import Hand


@pytest.fixture
def ledger(redis: ArqRedis) -> Ledger:
    return Ledger(redis)


@pytest.fixture
def events(redis: ArqRedis) -> Events:
    return Events(redis)


@pytest.fixture
def hand(redis: ArqRedis, settings: Settings) -> Hand:
    return Hand(redis, settings)
