"""What one connection hears, in which order; what keeps its session; and who shares a snapshot."""

import asyncio

import pytest

from api.dispatcher import Dispatcher
from api.keeping import Keeper
from api.outbox import Outbox
from api.results import Results
from api.sequence import following, to_offset, to_seq
from api.snapshots import Snapshots
from api.subscription import MAX_HELD, Subscription
from shared import keys
from shared.connection import connect
from shared.events import Event, Events
from shared.jobs import Query, Search, State
from shared.ledger import Ledger
from shared.queue import Queue
from shared.sessions import Sessions
from shared.settings import Settings

pytestmark = pytest.mark.anyio


def event(number: int, *, job: str = "j", state: State = "running") -> Event:
    return Event(offset=f"{number}-0", job=job, tenant="t", state=state, at_ms=number, session="s")


async def test_what_is_held_stands_after_the_snapshot_that_it_waited_for(settings: Settings) -> None:
    async with connect(settings) as redis:
        dispatcher = Dispatcher(Events(redis), Results(Ledger(redis)), stopping=asyncio.Event())
        outbox = Outbox()
        with Subscription(dispatcher, outbox, tenant="t", session="s") as subscription:
            subscription.begin("5-0")
            dispatcher.position = "7-0"
            with subscription.holding() as place:
                # Another job of the session ends while the snapshot is read.
                dispatcher.position = "8-0"
                dispatcher.tell(event(8, job="other", state="succeeded"))
                outbox.put(event(7))
            offsets = [entry.offset for entry in outbox.take(10) if isinstance(entry, Event)]
        assert place == "7-0"
        assert offsets == ["7-0", "8-0"], "who resumes at the snapshot is told what came after it"
        assert not dispatcher._listeners


async def test_too_much_at_once_while_something_is_read_ends_the_connection(settings: Settings) -> None:
    async with connect(settings) as redis:
        dispatcher = Dispatcher(Events(redis), Results(Ledger(redis)), stopping=asyncio.Event())
        outbox = Outbox()
        with Subscription(dispatcher, outbox, tenant="t", session="s"):
            for number in range(MAX_HELD + 1):
                dispatcher.tell(event(number + 1))
        assert outbox.verdict is not None
        assert outbox.verdict.code == 4008


def test_frames_of_one_moment_order_and_resume_at_the_same_place() -> None:
    seqs = [to_seq("7-3", "f00d")]
    for _ in range(12):
        seqs.append(following(seqs[-1]))
    seqs.append(to_seq("7-4", "f00d"))
    assert seqs == sorted(set(seqs))
    assert {to_offset(seq, "f00d") for seq in seqs[:-1]} == {"7-3"}
    assert to_offset(seqs[1], "beef") is None


async def test_a_session_is_renewed_as_long_as_somebody_is_connected(settings: Settings) -> None:
    async with connect(settings) as redis:
        sessions = Sessions(redis, settings)
        keeper, session = Keeper(sessions), await sessions.create("t")
        key = keys.session("t", session)
        with keeper.holding("t", session):
            with keeper.holding("t", session):
                pass
            await redis.expire(key, 5)
            await keeper.renew()
            assert await redis.ttl(key) > 5
        await redis.expire(key, 5)
        await keeper.renew()
        assert await redis.ttl(key) <= 5


async def test_those_who_ask_at_once_share_a_snapshot(settings: Settings) -> None:
    async with connect(settings) as redis:
        queue, snapshots = Queue(redis, settings), Snapshots(redis)
        sessions = [f"s{number}" for number in range(20)]
        for session in sessions:
            await queue.submit(
                Search(collection="c", query=Query(text="a"), session=session), tenant="t", client_id=f"of {session}"
            )
        await redis.config_resetstat()
        found = await asyncio.gather(*(snapshots.open_jobs("t", session) for session in sessions))
        reads = (await redis.info("commandstats"))["cmdstat_zrange"]["calls"]
    assert [[job.client_id for job in jobs] for jobs in found] == [[f"of {session}"] for session in sessions]
    assert reads == 2, "one for each state that is open"
