"""Who reads what the queue writes."""

import pytest
from arq.connections import ArqRedis

from shared.events import Events
from shared.ledger import Ledger


@pytest.fixture
def ledger(redis: ArqRedis) -> Ledger:
    return Ledger(redis)


@pytest.fixture
def events(redis: ArqRedis) -> Events:
    return Events(redis)
