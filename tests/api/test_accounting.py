"""What happened is counted once, and every job is found by what it is, whether the index knows it yet or not."""

import msgspec
import pytest
from arq.connections import ArqRedis
from hypothesis import given
from hypothesis import strategies as st

from api.accounting import Accountant
from api.lanes import Lanes
from api.sampling import Sampler
from api.tally import Tally
from shared import keys, statistics
from shared.account import account_of
from shared.clock import now_ms
from shared.fleet import Fleet
from shared.job_filter import JobFilter
from shared.jobs import JobView
from shared.ledger import Ledger
from shared.queue import Queue
from shared.settings import Settings
from shared.steps import day_of
from tests.shared.examples import few
from tests.shared.hand import Hand, a_search

pytestmark = pytest.mark.anyio


def accountant_of(redis: ArqRedis, settings: Settings) -> Accountant:
    return Accountant(redis, settings, Sampler(Lanes(redis, settings), Fleet(redis)))


@pytest.fixture
def accountant(redis: ArqRedis, settings: Settings) -> Accountant:
    return accountant_of(redis, settings)


async def totals(redis: ArqRedis) -> dict[str, int]:
    read = await statistics.read(redis, "1h")
    lane = read.lanes[0]
    return {"in": sum(lane.came), "out": sum(lane.left), "wrong": sum(lane.wrong), "waits": lane.wait.count}


async def found(redis: ArqRedis, tenant: str = "a", *, limit: int = 50, **where: object) -> list[str]:
    """The ids of all pages, in their order."""
    ids, before = [], None
    while True:
        page = await Ledger(redis).recent(tenant, where=JobFilter(**where), before=before, limit=limit)  # type: ignore[arg-type]
        ids += [job.id for job in page.jobs]
        before = page.next
        if before is None:
            return ids


async def one_of_each(queue: Queue, hand: Hand) -> dict[str, str]:
    """A job that succeeded, one that failed, one that waits."""
    ids = {}
    for name in ("succeeded", "failed"):
        ids[name] = (await queue.submit(a_search(f"a {name} cat"), tenant="a")).id
        assert await hand.claim() == [ids[name]]
        await hand.finish(ids[name], "succeeded" if name == "succeeded" else "failed")
    ids["queued"] = (await queue.submit(a_search("a waiting dog"), tenant="a")).id
    return ids


async def test_what_happened_is_counted(redis: ArqRedis, accountant: Accountant, queue: Queue, hand: Hand) -> None:
    await one_of_each(queue, hand)
    await accountant.turn()
    assert await totals(redis) == {"in": 3, "out": 2, "wrong": 1, "waits": 2}
    read = await statistics.read(redis, "15m")
    assert [(one.type, sum(one.counts)) for one in read.errors] == [("bad-picture", 1)]
    assert read.lanes[0].depth[-1] == 1 or read.lanes[0].depth[-2] == 1
    used = await redis.hgetall(keys.used("a", day_of(now_ms())))
    assert (used[b"in"], used[b"out"], used[b"wrong"]) == (b"3", b"2", b"1")


async def test_two_processes_that_read_the_same_events_count_them_once(
    redis: ArqRedis, settings: Settings, queue: Queue, hand: Hand
) -> None:
    await one_of_each(queue, hand)
    first, second = accountant_of(redis, settings), accountant_of(redis, settings)
    stale = await account_of(redis)
    await first.turn()
    read = await second._read("0-0")
    tally = Tally()
    for happening in await second._happenings(read.rows):
        tally.add(happening)
    await second._write(stale, read, tally, sampling=False)
    await second.turn()
    assert await totals(redis) == {"in": 3, "out": 2, "wrong": 1, "waits": 2}


async def test_only_one_of_several_processes_counts(redis: ArqRedis, settings: Settings) -> None:
    first, second = accountant_of(redis, settings), accountant_of(redis, settings)
    assert [await first.elected(), await second.elected(), await first.elected()] == [True, False, True]
    await redis.delete(keys.upkeep("account"))
    assert await second.elected()


async def test_a_job_is_found_by_each_thing_that_it_is(
    redis: ArqRedis, accountant: Accountant, queue: Queue, hand: Hand
) -> None:
    ids = await one_of_each(queue, hand)
    for turned in (False, True):
        if turned:
            await accountant.turn()
        assert await found(redis, q="DOG") == [ids["queued"]]
        assert await found(redis, q="waiting dog") == [ids["queued"]]
        assert await found(redis, error="bad-picture") == [ids["failed"]]
        assert set(await found(redis, worker="w1")) == {ids["failed"], ids["succeeded"]}
        assert await found(redis, worker="w1", state="succeeded") == [ids["succeeded"]]
        assert len(await found(redis, kind="search", collection="pictures")) == 3
        assert await found(redis, q=ids["failed"][:10]) == [ids["failed"]]
        assert ids["failed"] in await found(redis, q=ids["failed"][:1])
        assert await found(redis, q="dog", by_words=False) == []
        assert await found(redis, kind="ingest") == []
        assert await found(redis, "b", q="dog") == []


async def test_a_running_job_is_found_by_its_worker_and_state(
    redis: ArqRedis, accountant: Accountant, queue: Queue, hand: Hand
) -> None:
    running = (await queue.submit(a_search("a cat"), tenant="a")).id
    await hand.claim()
    await queue.submit(a_search("a dog"), tenant="a")
    await accountant.turn()
    assert await found(redis, worker="w1", state="running") == [running]
    assert await found(redis, worker="w2", state="running") == []
    assert await found(redis, q="cat") == [running]


async def test_jobs_older_than_the_index_and_newer_ones_are_found_beside_those_in_it(
    redis: ArqRedis, settings: Settings, accountant: Accountant, queue: Queue
) -> None:
    old = [(await queue.submit(a_search("red cat"), tenant="a")).id for _ in range(3)]
    await redis.xtrim(keys.EVENTS, maxlen=0, approximate=False)
    await accountant.turn()
    middle = [(await queue.submit(a_search("red cat"), tenant="a")).id for _ in range(3)]
    await accountant.turn()
    new = [(await queue.submit(a_search("red cat"), tenant="a")).id for _ in range(3)]
    # Others, so that the word's index is worth walking.
    for _ in range(12):
        await queue.submit(a_search("blue dog"), tenant="a")
    for limit in (1, 2, 50):
        assert sorted(await found(redis, q="cat", limit=limit)) == sorted(old + middle + new)


WORDS = ("red", "blue", "cat", "dog", "Äpfel")
rows = st.lists(
    st.tuples(st.integers(0, 5), st.lists(st.sampled_from(WORDS), max_size=3), st.booleans()), min_size=1, max_size=40
)


@few
@given(rows=rows, since=st.integers(0, 3), until=st.integers(3, 6), limit=st.integers(1, 7))
async def test_whatever_part_is_indexed_the_index_finds_what_the_records_say(
    redis: ArqRedis,
    settings: Settings,
    rows: list[tuple[int, list[str], bool]],
    since: int,
    until: int,
    limit: int,
) -> None:
    """Jobs created in few milliseconds; those in [since, until) are in the index, the others in the ledger alone."""
    await redis.flushall()
    accountant = accountant_of(redis, settings)
    await redis.hset(keys.ACCOUNT, mapping={"offset": "0-1", "since_ms": since, "until_ms": until})
    for number, (created, words, failed) in enumerate(rows):
        await _put(redis, accountant, f"{number:04x}", created, words, failed=failed, indexed=since <= created < until)
    everything = await _all(redis)
    for where in (
        JobFilter(q="cat"),
        JobFilter(q="äpfel red"),
        JobFilter(error="bad-picture"),
        JobFilter(q="cat", state="failed"),
        JobFilter(state="failed", since_ms=2),
        JobFilter(q="dog", since_ms=1, until_ms=4),
        JobFilter(kind="search", error="bad-picture", until_ms=3),
        JobFilter(q="00"),
    ):
        page_wise = await found(redis, limit=limit, **{name: getattr(where, name) for name in where.__struct_fields__})
        assert sorted(page_wise) == sorted(job.id for job in everything if where.passes(job)), where
        assert len(set(page_wise)) == len(page_wise)


async def _put(
    redis: ArqRedis, accountant: Accountant, job_id: str, created: int, words: list[str], *, failed: bool, indexed: bool
) -> None:
    state = "failed" if failed else "succeeded"
    fields = {"id": job_id, "tenant": "a", "lane": "interactive", "kind": "search", "collection": "p", "state": state}
    fields |= {"created": str(created), "text": " ".join(words)}
    if failed:
        fields["error"] = msgspec.msgpack.encode({"type": "bad-picture", "title": "", "status": 422})  # type: ignore[assignment]
    await redis.hset(keys.record(job_id), mapping=fields)
    await redis.zadd(keys.jobs("a"), {job_id: created})
    await redis.zadd(f"{keys.jobs('a')}:{state}", {job_id: created + 10})
    if indexed:
        event = {b"j": job_id.encode(), b"t": b"a", b"st": state.encode(), b"at": str(created).encode()}
        tally = Tally()
        for happening in await accountant._happenings([(b"0-1", event)]):
            tally.add(happening)
        await accountant.index.add(tally, created)


async def _all(redis: ArqRedis) -> list[JobView]:
    ids = [one.decode() for one in await redis.zrange(keys.jobs("a"), 0, -1)]
    return list((await Ledger(redis).many("a", ids)).values())


async def test_events_that_went_before_they_were_read_are_a_gap_that_is_told(
    redis: ArqRedis, settings: Settings, queue: Queue
) -> None:
    few_kept = msgspec.structs.replace(settings, keep_events=5)
    accountant = accountant_of(redis, few_kept)
    first = (await queue.submit(a_search("red cat"), tenant="a")).id
    await accountant.turn()
    rest = [(await queue.submit(a_search("red cat"), tenant="a")).id for _ in range(20)]
    await redis.xtrim(keys.EVENTS, maxlen=5, approximate=False)
    await accountant.turn()
    assert (await statistics.read(redis, "1h")).lost == 1
    assert sorted(await found(redis, q="cat", limit=4)) == sorted([first, *rest])


async def test_idle_hours_are_no_gap(redis: ArqRedis, accountant: Accountant, queue: Queue) -> None:
    await queue.submit(a_search(), tenant="a")
    await accountant.turn()
    await redis.xtrim(keys.EVENTS, maxlen=0, approximate=False)
    await accountant.turn()
    await queue.submit(a_search(), tenant="a")
    await accountant.turn()
    assert (await account_of(redis)).lost == 0
    assert (await totals(redis))["in"] == 2


async def test_a_purged_job_is_not_counted_and_breaks_nothing(
    redis: ArqRedis, accountant: Accountant, queue: Queue
) -> None:
    sent = await queue.submit(a_search(), tenant="a")
    await queue.cancel("a", sent.id)
    await queue.drop("a", sent.id)
    await accountant.turn()
    assert await totals(redis) == {"in": 0, "out": 0, "wrong": 0, "waits": 0}


async def test_the_index_is_bounded_as_the_ledger_is(redis: ArqRedis, settings: Settings) -> None:
    few_kept = msgspec.structs.replace(settings, keep_jobs=10)
    queue, accountant = Queue(redis, few_kept), accountant_of(redis, few_kept)
    for number in range(60):
        sent = await queue.submit(a_search(f"cat {number}"), tenant="a")
        await queue.cancel("a", sent.id)
        await accountant.turn()
    names = [name for name in await redis.keys("clipline:tenant:a:by:word:*") if await redis.zcard(name)]
    # Two entries for a job at most, so up to twice as many jobs.
    assert len(names) <= 2 * 10 + 1
    assert await redis.zcard(keys.term("a", "word:cat")) <= 2 * 10
    assert len(await found(redis, q="cat")) == await redis.zcard(keys.jobs("a")) == 10


async def test_everything_that_is_kept_goes_by_itself(
    redis: ArqRedis, accountant: Accountant, queue: Queue, hand: Hand
) -> None:
    await one_of_each(queue, hand)
    await accountant.turn()
    for pattern in ("clipline:counted:*", "clipline:tenant:a:by:*", "clipline:tenant:a:used:*"):
        names = await redis.keys(pattern)
        assert names
        assert all([await redis.ttl(name) > 0 for name in names])
