"""The parts that have a contract of their own."""

import asyncio
import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from python_multipart.multipart import MultipartParser
from starlette.types import Receive, Scope, Send

from api import frames
from api.conversation import Conversation
from api.dispatcher import Dispatcher
from api.limits import Inflight
from api.metrics import Metrics
from api.outbox import CROWDED, MOST, TOO_SLOW, Outbox
from api.results import Results
from api.sequence import to_offset, to_seq
from api.spool import Spool
from api.uploads import Parts
from shared.connection import connect
from shared.errors import JobNotFound
from shared.events import START, Event, Events, order
from shared.jobs import Query, Search, State
from shared.ledger import Ledger
from shared.queue import Queue
from shared.settings import Settings
from shared.turns import AT_ONCE, Turns
from tests.ticking import Clock, ticking

OFFSETS = st.tuples(st.integers(0, 10**14), st.integers(0, 10**9))


def event(job: str = "j", state: State = "running", number: int = 1) -> Event:
    return Event(offset=f"{number}-0", job=job, tenant="default", state=state, at_ms=0)


@given(OFFSETS, OFFSETS)
def test_seq_orders_as_the_stream_does_and_leads_back(one: tuple[int, int], other: tuple[int, int]) -> None:
    first, second = (to_seq(f"{ms}-{number}", "e1") for ms, number in (one, other))

    assert (first < second) == (one < other)
    assert order(to_offset(first, "e1") or "") == one
    assert to_offset(first, "e2") is None


@given(st.text(max_size=40))
def test_no_text_breaks_a_seq(text: str) -> None:
    assert to_offset(text, "e1") in {None, START} or text.endswith("-e1")


def test_progress_is_coalesced_only_in_a_crowd() -> None:
    outbox = Outbox()
    for number in range(CROWDED):
        outbox.put(event(number=number))
    assert len(outbox) == CROWDED
    outbox.put(event("other"))
    assert len(outbox) == CROWDED + 1
    outbox.put(event(number=CROWDED))
    assert len(outbox) == 2


def test_ends_are_never_dropped_and_too_many_are_a_verdict() -> None:
    outbox = Outbox()
    for number in range(MOST):
        outbox.put(event(f"j{number}", "succeeded"))
    assert outbox.verdict is None
    outbox.put(event("one more", "succeeded"))
    assert outbox.verdict is not None
    assert outbox.verdict.code == TOO_SLOW


@pytest.mark.anyio
async def test_a_crowd_holds_back_who_answers_and_eases() -> None:
    outbox = Outbox()
    for _ in range(CROWDED):
        outbox.put(frames.Pong())
    waiting = asyncio.create_task(outbox.eased())
    with anyio.move_on_after(0.01):
        await asyncio.shield(waiting)
    assert not waiting.done()
    assert len(outbox.take(8)) == 8
    await waiting


@pytest.mark.anyio
async def test_results_are_read_once_for_all_who_wait(settings: Settings) -> None:
    async with connect(settings) as redis:
        job = Search(collection="things", query=Query(text="a"))
        queue = Queue(redis, settings)
        ids = [(await queue.submit(job, tenant="default")).id for _ in range(100)]
        results = Results(Ledger(redis))
        asked = [("default", one) for one in ids * 3] + [("other", ids[0]), ("default", "nothing")]
        before = await redis.info("commandstats")
        views = await asyncio.gather(*(results.get(tenant, one) for tenant, one in asked))
        after = await redis.info("commandstats")

    assert [view.id if view else None for view in views] == [*ids * 3, None, None]
    reads = after["cmdstat_hgetall"]["calls"] - before.get("cmdstat_hgetall", {"calls": 0})["calls"]
    assert reads == len(ids) + 2


@pytest.mark.anyio
async def test_few_of_those_whose_results_come_together_go_on_in_one_turn(settings: Settings) -> None:
    went: list[int] = []

    async def get(results: Results, job_id: str, clock: Clock) -> None:
        assert await results.get("default", job_id) is not None
        went.append(clock.turn)

    async with connect(settings) as redis, ticking() as clock:
        queue = Queue(redis, settings)
        job = Search(collection="things", query=Query(text="a"))
        ids = [(await queue.submit(job, tenant="default")).id for _ in range(30)]
        results = Results(Ledger(redis))
        await asyncio.gather(*(get(results, one, clock) for one in ids))
    # What is counted for a turn may be the parts of two.
    assert max(Counter(went).values()) <= 2 * AT_ONCE


@pytest.mark.anyio
async def test_few_of_the_requests_that_come_together_begin_in_one_turn() -> None:
    went: list[int] = []
    turns = Turns()

    async with ticking() as clock:

        async def app(_: Scope, __: Receive, ___: Send) -> None:
            went.append(clock.turn)

        bounded = Inflight(app, 100, Metrics())
        scope = {"type": "http", "path": "/v1/search", "state": {"turns": turns}}
        await asyncio.gather(*(bounded(scope, _never, _never) for _ in range(30)))
    assert len(went) == 30
    assert max(Counter(went).values()) <= 2 * AT_ONCE


@pytest.mark.anyio
async def test_few_of_the_frames_that_come_together_are_answered_in_one_turn() -> None:
    """Each from a connection of its own."""
    went: list[int] = []
    state: Any = {"settings": Settings(), "turns": Turns()}
    subscription: Any = SimpleNamespace(session="s")

    class Noted(Outbox):
        def put(self, entry: Any) -> None:
            assert isinstance(entry, frames.Pong)
            went.append(clock.turn)

    async with ticking() as clock:
        talks = [Conversation(state, cast(Any, None), subscription, Noted()) for _ in range(30)]
        await asyncio.gather(*(talk.hear('{"op": "ping"}') for talk in talks))
    assert len(went) == 30
    assert max(Counter(went).values()) <= 2 * AT_ONCE


async def _never(*_: object) -> Any:
    raise AssertionError("nothing is read or written here")


@pytest.mark.anyio
async def test_a_wait_for_an_unknown_job_ends_at_once(settings: Settings) -> None:
    async with connect(settings) as redis, connect(settings, blocking=True) as blocking:
        events = Events(redis, blocking=blocking)
        async with Dispatcher(events, Results(Ledger(redis)), stopping=asyncio.Event()) as dispatcher:
            with pytest.raises(JobNotFound):
                await dispatcher.wait_for("default", "nothing", timeout_s=30)
            assert not dispatcher._listeners


CONTENT = st.binary(max_size=60)


@settings(max_examples=60, deadline=None)
@given(contents=st.lists(CONTENT, min_size=1, max_size=3), cuts=st.lists(st.integers(1, 40), min_size=1, max_size=30))
def test_an_upload_is_the_same_however_it_is_cut(contents: list[bytes], cuts: list[int]) -> None:
    boundary = uuid4().hex.encode()
    head = b'--%b\r\nContent-Disposition: form-data; name="files"; filename="f%d"\r\n\r\n%b\r\n'
    body = b"".join(head % (boundary, number, content) for number, content in enumerate(contents))
    body += b"--%b--\r\n" % boundary
    parts = Parts(Spool(Path("nowhere"), "default"), Settings())
    parser = MultipartParser(boundary, parts.callbacks())  # type: ignore[arg-type]
    position = 0
    for cut in [*cuts * len(body), len(body)]:
        if position < len(body):
            parser.write(body[position : position + cut])
            position += cut

    got: dict[str, bytes] = {}
    for file, piece in parts.steps:
        got[file.source] = got.get(file.source, b"") + (piece or b"")
    assert parts.ended
    assert got == {f"f{number}": content for number, content in enumerate(contents)}
    assert [file.size for file in parts.upload.files] == [len(content) for content in contents]


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_an_id_is_found_or_not_but_never_an_error(value: Any) -> None:
    found = frames.id_in(json.dumps(value))
    assert found is None or (isinstance(value, dict) and found == value["id"])
