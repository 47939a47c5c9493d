"""Trials that fail in the process that owns Qdrant Edge: searches and writes go on, and so do later trials."""

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest
import qdrant_edge as edge

from tests.workers.stores.vectors import points, unit
from workers.stores import edge_wire as wire
from workers.stores.edge_collection import Collection
from workers.stores.edge_collections import Collections
from workers.stores.edge_process import Server
from workers.stores.plan import EXACT_UP_TO
from workers.stores.plan_trials import TRIALS
from workers.stores.protocol import Answer, Point, StoredCollection, VectorQuery

NAME = "test.pictures"
COUNT, DIM = EXACT_UP_TO + 1, 256
DEADLINE_S = 30.0
ROWS = unit(COUNT, dim=DIM)


class Failing:
    """A shard whose engine fails at the questions with these numbers, as on a broken disk."""

    def __init__(self, shard: edge.EdgeShard, at: set[int]) -> None:
        self._shard, self._at, self._numbers = shard, at, count()
        self.failed = threading.Semaphore(0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._shard, name)

    def begin(self) -> None:
        """The next question is the first one."""
        self._numbers = count()

    def query_batch(self, request: edge.QueryBatchRequest) -> Any:
        if next(self._numbers) in self._at:
            self.failed.release()
            raise RuntimeError("input/output error")
        return self._shard.query_batch(request)


Call = Callable[[wire.Call, Any], Any]


@contextmanager
def serving(collections: Collections) -> Iterator[Call]:
    """The process' own loop, in a thread; calls it as the client does."""
    ours, theirs = socket.socketpair()
    ours.settimeout(DEADLINE_S)
    thread = threading.Thread(target=Server(theirs, collections).run)
    thread.start()
    frames, numbers, replies = wire.Frames(), count(1), list[bytes]()

    def receive() -> wire.Reply:
        while not replies:
            replies.extend(frames.feed(ours.recv(1 << 20)))
        return msgspec.msgpack.decode(replies.pop(0), type=wire.Reply)

    def call(what: wire.Call, type_: Any) -> Any:
        ours.sendall(wire.frame(wire.Request(next(numbers), what)))
        reply = receive()
        assert reply.failure is None
        return msgspec.msgpack.decode(reply.result, type=type_)

    assert receive().id == wire.HELLO
    try:
        yield call
    finally:
        ours.close()
        thread.join(DEADLINE_S)
        theirs.close()
    assert not thread.is_alive()


def searched(call: Call, place: int) -> Answer:
    query = VectorQuery(vector=ROWS[place].tobytes(), limit=10)
    [answer] = call(wire.Search(NAME, [query]), list[Answer])
    found: Answer = answer
    assert (len(found), found[0].id) == (10, place)
    return found


@pytest.fixture
def collections(tmp_path: Path) -> Iterator[Collections]:
    opened = Collections(tmp_path)
    opened.create(NAME, dim=DIM, indexes={}, meta={})
    stored = [Point(id=id_, vector=row.tobytes(), payload={}) for id_, row in enumerate(ROWS)]
    opened.get(NAME).upsert(stored)
    yield opened
    opened.close()


def broken(collection: Collection, at: set[int]) -> Failing:
    shard = Failing(collection._shard, at)
    collection._shard = shard  # type: ignore[assignment]
    return shard


def test_a_trial_that_fails_loses_nothing_and_does_not_stop_later_ones(
    collections: Collections, caplog: pytest.LogCaptureFixture
) -> None:
    # The first question is a search's, the second one a trial's.
    shard = broken(collections.get(NAME), {1})
    with serving(collections) as call, caplog.at_level(logging.ERROR):
        assert searched(call, 0).plan == "exact"
        assert shard.failed.acquire(timeout=DEADLINE_S)
        call(wire.Upsert(NAME, points([COUNT], dim=DIM)), None)
        plans = [searched(call, 1).plan]
        while plans[-1] != "graph" and len(plans) < COUNT:
            plans.append(searched(call, len(plans)).plan)
        assert call(wire.Describe(NAME), StoredCollection).count == COUNT + 1

    assert plans[:TRIALS] == ["exact"] * TRIALS
    assert plans[-1] == "graph"
    assert [record.message for record in caplog.records] == ["a trial of a plan failed"]


def test_where_every_trial_fails_searches_stay_exact(collections: Collections) -> None:
    shard = broken(collections.get(NAME), {1})
    with serving(collections) as call:
        for place in range(2 * TRIALS):
            # A search is answered by its first question; the second one is a trial's.
            shard.begin()
            assert searched(call, place).plan == "exact"
            assert shard.failed.acquire(timeout=DEADLINE_S)
