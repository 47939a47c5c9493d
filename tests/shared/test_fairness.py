"""Tenants share a lane by weight; what waits is handed out in order, and nothing starves."""

from collections import Counter

import msgspec
import pytest
from arq.connections import ArqRedis
from hypothesis import HealthCheck, given
from hypothesis import settings as rules
from hypothesis import strategies as st

from shared import keys, wire
from shared.pipe import Pipe
from shared.queue import Queue
from shared.settings import Settings
from tests.shared.hand import a_search
from workers.claiming import Claims

pytestmark = pytest.mark.anyio


async def taken(claims: Claims, count: int) -> list[str]:
    """Ids in the order of their handing out, one call for each."""
    found: list[str] = []
    for _ in range(count):
        found += [one.job_id for one in (await claims.take({"interactive": 1})).jobs]
    return found


async def test_a_tenant_that_comes_late_does_not_wait_for_anothers_flood(redis: ArqRedis, settings: Settings) -> None:
    queue, claims = Queue(redis, settings), Claims(Pipe(redis), settings, worker_id="w")
    for number in range(200):
        await queue.submit(a_search(str(number)), tenant="flood")
    await taken(claims, 50)
    late = [(await queue.submit(a_search(str(number)), tenant="late")).id for number in range(3)]
    after = await taken(claims, 8)
    assert [job_id for job_id in after if job_id in late] == late


async def test_shares_follow_the_weights(redis: ArqRedis, settings: Settings) -> None:
    weighted = msgspec.structs.replace(settings, tenant_weights="heavy=3")
    queue, claims = Queue(redis, weighted), Claims(Pipe(redis), weighted, worker_id="w")
    owner: dict[str, str] = {}
    for number in range(60):
        for tenant in ("heavy", "light"):
            owner[(await queue.submit(a_search(str(number)), tenant=tenant)).id] = tenant
    shares = Counter(owner[job_id] for job_id in await taken(claims, 40))
    assert abs(shares["heavy"] - 30) <= 1


@rules(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.booleans()), max_size=60),
    st.sampled_from(["", "a=2", "b=5,c=0.5"]),
)
async def test_each_tenants_jobs_keep_their_order_and_none_is_lost(
    redis: ArqRedis, settings: Settings, steps: list[tuple[str, bool]], weights: str
) -> None:
    await redis.flushdb()
    weighted = msgspec.structs.replace(settings, tenant_weights=weights)
    queue, claims = Queue(redis, weighted), Claims(Pipe(redis), weighted, worker_id="w")
    sent: dict[str, list[str]] = {"a": [], "b": [], "c": []}
    got: list[str] = []
    for tenant, take_one in steps:
        sent[tenant].append((await queue.submit(a_search("x"), tenant=tenant)).id)
        if take_one:
            got += await taken(claims, 1)
    got += await taken(claims, len(steps) - len(got))
    assert [[job_id for job_id in got if job_id in ids] for ids in sent.values()] == list(sent.values())


async def test_a_running_job_is_behind_what_waits_and_returns_by_itself(redis: ArqRedis, settings: Settings) -> None:
    queue, claims = Queue(redis, settings), Claims(Pipe(redis), settings, worker_id="w")
    await queue.submit(a_search("first"), tenant="t1")
    second = await queue.submit(a_search("second"), tenant="t1")
    (running,) = (await claims.take({"interactive": 1})).jobs
    head = await redis.zrange(keys.queue("interactive"), 0, 0)
    assert head == [second.id.encode()]
    score = await redis.zscore(keys.queue("interactive"), running.job_id)
    assert score is not None
    assert score > 1e12


async def test_a_deferred_job_is_handed_out_when_it_falls_due(redis: ArqRedis, settings: Settings) -> None:
    queue, claims = Queue(redis, settings), Claims(Pipe(redis), settings, worker_id="w")
    sent = await queue.submit(a_search("later"), tenant="t1", defer_s=60)
    found = await claims.take({"interactive": 4})
    assert (found.jobs, found.next_s is not None and 55 < found.next_s <= 60) == ([], True)
    await redis.zadd(keys.queue("interactive"), {sent.id: 1_500_000_000_000})
    assert [one.job_id for one in (await claims.take({"interactive": 4})).jobs] == [sent.id]


async def test_a_stock_clients_job_takes_its_turn(redis: ArqRedis, settings: Settings) -> None:
    queue, claims = Queue(redis, settings), Claims(Pipe(redis), settings, worker_id="w")
    client = ArqRedis(redis.connection_pool, job_serializer=wire.encode, job_deserializer=wire.decode)
    for number in range(20):
        await queue.submit(a_search(str(number)), tenant="flood")
    job = await client.enqueue_job("search", {"query": {"text": "cat"}}, _queue_name=keys.queue("interactive"))
    assert job is not None
    assert job.job_id in await taken(claims, 3)


async def test_bulk_work_has_places_of_its_own(redis: ArqRedis, settings: Settings) -> None:
    queue, claims = Queue(redis, settings), Claims(Pipe(redis), settings, worker_id="w")
    for number in range(20):
        await queue.submit(a_search(str(number)), tenant="t1")
    bulk = await queue.submit(a_search("bulk", lane="bulk"), tenant="t1")
    jobs = (await claims.take({"interactive": 4, "bulk": 1})).jobs
    assert [one.job_id for one in jobs if one.lane == "bulk"] == [bulk.id]


async def test_tags_begin_anew_when_nothing_waits(redis: ArqRedis, settings: Settings) -> None:
    queue, claims = Queue(redis, settings), Claims(Pipe(redis), settings, worker_id="w")
    for number in range(5):
        await queue.submit(a_search(str(number)), tenant="t1")
    await claims.take({"interactive": 5})
    sent = await queue.submit(a_search("again"), tenant="t1")
    assert await redis.zscore(keys.queue("interactive"), sent.id) == 1
