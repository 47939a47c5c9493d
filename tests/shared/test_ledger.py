"""The record of every job: paged completely, filtered, trimmed, and one tenant's alone."""

import msgspec
import pytest
from arq.connections import ArqRedis
from hypothesis import given
from hypothesis import strategies as st

from shared import keys
from shared.errors import JobNotFound
from shared.finding import MOST_RECORDS
from shared.job_filter import JobFilter
from shared.jobs import STATES, CollectionTask, File, Ingest, Job, JobView, State
from shared.ledger import ALL, MOST_TENANTS, Ledger
from shared.queue import Queue
from tests.shared.examples import some
from tests.shared.hand import Hand, a_search

pytestmark = pytest.mark.anyio

EVERYTHING = JobFilter()


async def pages(ledger: Ledger, tenant: str, *, where: JobFilter = EVERYTHING, limit: int = 50) -> list[JobView]:
    """All pages, one after the other."""
    found: list[JobView] = []
    before: str | None = None
    while True:
        page = await ledger.recent(tenant, where=where, before=before, limit=limit)
        assert len(page.jobs) <= limit
        found += page.jobs
        if page.next is None:
            return found
        assert page.next != before, "a cursor goes on"
        before = page.next


async def put(redis: ArqRedis, tenant: str, rows: list[tuple[int, State, str]]) -> list[str]:
    """Records as the scripts write them, with times of our own. Returns their ids, newest first."""
    named = [(created, f"{tenant}{number:04x}", state, text) for number, (created, state, text) in enumerate(rows)]
    async with redis.pipeline(transaction=True) as pipe:
        for created, job_id, state, text in named:
            record = {"id": job_id, "tenant": tenant, "lane": "interactive", "kind": "search", "collection": "p"}
            pipe.hset(keys.record(job_id), mapping={**record, "created": created, "state": state, "text": text})
            pipe.zadd(keys.jobs(tenant), {job_id: created})
            pipe.zadd(keys.jobs_in(tenant, state), {job_id: created})
        await pipe.execute()
    return [job_id for _, job_id, _, _ in sorted(named, reverse=True)]


# Few milliseconds for many jobs, so that pages end in the middle of one.
rows = st.lists(
    st.tuples(st.integers(1, 4), st.sampled_from(STATES), st.sampled_from(["red cat", "blue cat", "red dog", ""])),
    max_size=40,
)


@some
@given(rows=rows, limit=st.integers(1, 7))
async def test_pages_are_complete_and_newest_first_whatever_jobs_share_a_millisecond(
    redis: ArqRedis, rows: list[tuple[int, State, str]], limit: int
) -> None:
    await redis.flushall()
    ids = await put(redis, "a", rows)
    await put(redis, "b", rows)
    found = await pages(Ledger(redis), "a", limit=limit)
    assert [job.id for job in found] == ids


@some
@given(rows=rows, limit=st.integers(1, 7), state=st.sampled_from(STATES), q=st.sampled_from([None, "red", "CAT red"]))
async def test_filters_find_exactly_what_passes(
    redis: ArqRedis, rows: list[tuple[int, State, str]], limit: int, state: State, q: str | None
) -> None:
    await redis.flushall()
    ids = await put(redis, "a", rows)
    where = JobFilter(state=state, q=q)
    found = await pages(Ledger(redis), "a", where=where, limit=limit)
    told = {f"a{number:04x}": (its_state, text) for number, (_, its_state, text) in enumerate(rows)}
    words = (q or "").lower().split()
    wanted = [one for one in ids if told[one][0] == state and all(word in told[one][1] for word in words)]
    assert [job.id for job in found] == wanted


TENANTS = ("a", "b", "c")
shared_rows = st.lists(
    st.tuples(
        st.sampled_from(TENANTS),
        st.integers(1, 40),
        st.sampled_from(["queued", "failed"]),
        st.sampled_from(["red cat", "blue cat", "red dog", ""]),
    ),
    max_size=60,
)


@some
@given(
    rows=shared_rows,
    limit=st.integers(1, 7),
    state=st.sampled_from([None, "queued", "failed"]),
    q=st.sampled_from([None, "red", "CAT red"]),
)
async def test_of_all_tenants_exactly_what_passes_is_found_newest_first(
    redis: ArqRedis, rows: list[tuple[str, int, State, str]], limit: int, state: State | None, q: str | None
) -> None:
    await redis.flushall()
    wanted: list[tuple[int, str]] = []
    words = (q or "").lower().split()
    for tenant in TENANTS:
        its = [(created, its_state, text) for whose, created, its_state, text in rows if whose == tenant]
        await put(redis, tenant, its)
        await redis.zadd(keys.TENANTS, {tenant: 1})
        for number, (created, its_state, text) in enumerate(its):
            if state in (None, its_state) and all(word in text for word in words):
                wanted.append((created, f"{tenant}{number:04x}"))
    found = await pages(Ledger(redis), ALL, where=JobFilter(state=state, q=q), limit=limit)
    assert [job.id for job in found] == [job_id for _, job_id in sorted(wanted, reverse=True)]


async def test_many_jobs_of_one_tenant_do_not_hide_the_few_of_others(redis: ArqRedis, ledger: Ledger) -> None:
    many = await put(redis, "a", [(number, "queued", "cat") for number in range(700)])
    few = await put(redis, "b", [(350, "failed", "dog")] * 40)
    await redis.zadd(keys.TENANTS, {"a": 1, "b": 2})
    found = [job.id for job in await pages(ledger, ALL)]
    assert sorted(found) == sorted(many + few)
    assert [one for one in found if one in many] == many
    assert [job.id for job in await pages(ledger, ALL, where=JobFilter(q="dog"))] == few
    counts = await ledger.counts(ALL)
    assert (counts["queued"], counts["failed"]) == (700, 40)


async def test_more_tenants_than_are_looked_at_are_told(redis: ArqRedis, ledger: Ledger) -> None:
    for number in range(MOST_TENANTS + 3):
        await put(redis, f"t{number}-", [(number, "queued", "cat")])
        await redis.zadd(keys.TENANTS, {f"t{number}-": number})
    page = await ledger.recent(ALL, where=EVERYTHING, limit=200)
    assert (len(page.jobs), page.left_out) == (MOST_TENANTS, 3)
    assert page.jobs[-1].tenant == "t3-", "those that came last are looked at"
    assert (await ledger.recent("t0-", where=EVERYTHING)).left_out is msgspec.UNSET


async def test_a_thousand_jobs_of_one_millisecond_are_all_there(redis: ArqRedis, ledger: Ledger) -> None:
    ids = await put(redis, "a", [(7, "queued", "cat")] * 1_000)
    assert [job.id for job in await pages(ledger, "a", limit=200)] == ids
    assert len(await pages(ledger, "a", where=JobFilter(q="cat"), limit=50)) == 1_000


async def test_sparse_matches_are_found_far_down(redis: ArqRedis, ledger: Ledger) -> None:
    count = MOST_RECORDS + 500
    ids = await put(redis, "a", [(number, "queued", "cat" if number % 499 else "dog") for number in range(count)])
    found = await pages(ledger, "a", where=JobFilter(q="dog"), limit=3)
    assert [job.id for job in found] == [one for one in ids if not int(one[1:], 16) % 499]


async def test_one_request_looks_at_a_bounded_number_of_jobs(redis: ArqRedis, ledger: Ledger) -> None:
    await put(redis, "a", [(number, "queued", "cat") for number in range(MOST_RECORDS + 400)])
    page = await ledger.recent("a", where=JobFilter(q="no such thing"))
    assert page.jobs == []
    assert page.next is not None
    end = await ledger.recent("a", where=JobFilter(q="no such thing"), before=page.next)
    assert (end.jobs, end.next) == ([], None)


async def test_pages_stay_stable_while_jobs_arrive(queue: Queue, ledger: Ledger) -> None:
    sent = [(await queue.submit(a_search(), tenant="a")).id for _ in range(6)]
    first = await ledger.recent("a", where=EVERYTHING, limit=3)
    await queue.submit(a_search(), tenant="a")
    second = await ledger.recent("a", where=EVERYTHING, limit=3, before=first.next)
    assert {job.id for job in first.jobs + second.jobs} == set(sent)


async def test_kind_and_id_are_filters_too(queue: Queue, ledger: Ledger) -> None:
    jobs: list[Job] = [
        a_search("red cat"),
        Ingest(collection="p", files=[File(source="a")]),
        CollectionTask(op="create", collection="p"),
    ]
    search, ingest, collection = [(await queue.submit(job, tenant="a")).id for job in jobs]
    assert [job.id for job in await pages(ledger, "a", where=JobFilter(kind="ingest"))] == [ingest]
    assert [job.id for job in await pages(ledger, "a", where=JobFilter(kind="collection"))] == [collection]
    assert [job.id for job in await pages(ledger, "a", where=JobFilter(q=search[:12].upper()))] == [search]
    assert await pages(ledger, "a", where=JobFilter(q=search[1:13])) == []
    assert await pages(ledger, "a", where=JobFilter(kind="items")) == []


async def test_another_tenants_jobs_do_not_exist(queue: Queue, ledger: Ledger) -> None:
    mine, theirs = [(await queue.submit(a_search(), tenant=tenant)).id for tenant in ("a", "b")]
    with pytest.raises(JobNotFound):
        await ledger.get("a", theirs)
    assert set(await ledger.many("a", [mine, theirs, "nonsense"])) == {mine}
    assert [job.id for job in await pages(ledger, "a")] == [mine]
    assert await pages(ledger, "a", where=JobFilter(q=theirs)) == []
    assert await pages(ledger, "c") == []


async def test_a_job_tells_all_about_itself(queue: Queue, ledger: Ledger, hand: Hand) -> None:
    sent = await queue.submit(a_search("red cat", session="s1"), tenant="a")
    waiting = await ledger.get("a", sent.id)
    assert (waiting.kind, waiting.state, waiting.lane, waiting.collection) == (
        "search",
        "queued",
        "interactive",
        "pictures",
    )
    assert (waiting.text, waiting.session, waiting.attempts, waiting.worker) == ("red cat", "s1", 0, None)
    assert (waiting.started_at, waiting.finished_at, waiting.result, waiting.error) == (None, None, None, None)
    await hand.claim()
    await hand.finish(sent.id)
    done = await ledger.get("a", sent.id)
    assert (done.state, done.attempts, done.worker, done.result) == ("succeeded", 1, "w1", {"done": sent.id})
    assert done.timings is not None
    assert done.timings.total_ms == 3.0
    times = [done.created_at, done.started_at or "", done.finished_at or ""]
    assert times == sorted(times)
    assert all(time.endswith("Z") for time in times)
    assert (await ledger.recent("a", where=EVERYTHING)).jobs[0].result is None


async def test_the_answer_outlives_its_result_as_a_record(queue: Queue, ledger: Ledger, hand: Hand) -> None:
    sent = await queue.submit(a_search(), tenant="a")
    await hand.claim()
    await hand.finish(sent.id)
    await hand.redis.delete(keys.ARQ_RESULT + sent.id)
    view = await ledger.get("a", sent.id)
    assert (view.state, view.result, view.error) == ("succeeded", None, None)


async def test_a_job_is_told_from_answers_unless_they_straddle_its_end(redis: ArqRedis, queue: Queue) -> None:
    ledger = Ledger(redis)
    hand = Hand(redis, queue.settings)
    sent = await queue.submit(a_search(), tenant="t1")
    [_] = await hand.claim()
    record, _ = ledger.asks(sent.id)
    fields = await redis.execute_command(*record)
    running = [part for pair in fields.items() for part in pair]  # redis-py has made a dictionary of it
    assert (await ledger.told("t1", sent.id, [running, None])).state == "running"
    await hand.finish(sent.id)
    assert (await ledger.told("t1", sent.id, [running, b"a result that came after the record"])).state == "succeeded"
    with pytest.raises(JobNotFound):
        await ledger.told("t2", sent.id, [running, None])
