"""Tenants share a lane by weight, within the bound of start-time fair queueing."""

import asyncio
from collections import Counter
from itertools import combinations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.connection import connect
from shared.jobs import Query, Search
from shared.queue import Queue
from shared.settings import Settings
from tests.redis_server import RedisServer
from tests.sim.hands import Hands

WEIGHTS = {"ann": 1.0, "bob": 2.0, "eve": 0.5}
JOB = Search(collection="sim", query=Query(text="cat"))
# Rounding of tags, which are 64-bit floats.
EPSILON = 1e-6

# A tenant submits some jobs, or a worker claims some and ends them.
Step = tuple[str, int]
steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(sorted(WEIGHTS)), st.integers(1, 12)),
        st.tuples(st.just("claim"), st.integers(1, 6)),
        st.tuples(st.just("claim"), st.integers(1, 6)),
    ),
    min_size=4,
    max_size=30,
)


class Shares:
    """How far two tenants came apart since both have had jobs waiting: normalised by weight, highest minus lowest."""

    def __init__(self) -> None:
        self.waiting: Counter[str] = Counter()
        self._spread: dict[tuple[str, str], tuple[float, float, float]] = {}

    def claimed(self, tenant: str) -> None:
        for pair in combinations(sorted(WEIGHTS), 2):
            if tenant in pair and all(self.waiting[name] > 0 for name in pair):
                now, low, high = self._spread.get(pair, (0.0, 0.0, 0.0))
                now += (1 if tenant == pair[0] else -1) / WEIGHTS[tenant]
                self._spread[pair] = (now, min(low, now), max(high, now))
        self.waiting[tenant] -= 1
        self._forget_idle()

    def _forget_idle(self) -> None:
        for pair in list(self._spread):
            if any(self.waiting[name] == 0 for name in pair):
                del self._spread[pair]

    def check(self) -> None:
        """Theorem 1 of Goyal, Vin, Cheng (SIGCOMM 1996), with a cost of 1 for each job."""
        for (one, other), (_, low, high) in self._spread.items():
            bound = 1 / WEIGHTS[one] + 1 / WEIGHTS[other]
            assert high - low <= bound + EPSILON, f"{one} and {other} are {high - low} apart, {bound} are allowed"


async def run(redis_url: str, plan: list[Step]) -> None:
    configured = Settings(
        redis_url=redis_url,
        max_queued_interactive=10_000,
        tenant_weights=",".join(f"{name}={weight:g}" for name, weight in WEIGHTS.items()),
    )
    async with connect(configured) as redis:
        await redis.flushdb()
        queue, worker = Queue(redis, configured), Hands(redis, configured, name="w", lease_s=600.0)
        owner: dict[str, str] = {}
        shares = Shares()
        for who, count in plan:
            if who == "claim":
                for running in await worker.claim({"interactive": count}):
                    shares.claimed(owner[running.job_id])
                    shares.check()
                    await worker.succeed(running)
                continue
            for _ in range(count):
                owner[(await queue.submit(JOB, tenant=who)).id] = who
            shares.waiting[who] += count


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(plan=steps)
def test_backlogged_tenants_never_come_further_apart_than_the_bound(
    redis_server: RedisServer, plan: list[Step]
) -> None:
    asyncio.run(run(redis_server.url, plan))


def test_a_flood_of_one_tenant_lets_another_pass_at_once(redis_server: RedisServer) -> None:
    async def flooded() -> list[str]:
        configured = Settings(redis_url=redis_server.url, max_queued_interactive=10_000)
        async with connect(configured) as redis:
            await redis.flushdb()
            queue, worker = Queue(redis, configured), Hands(redis, configured, name="w", lease_s=600.0)
            for _ in range(500):
                await queue.submit(JOB, tenant="flood")
            await worker.claim({"interactive": 20})
            quiet = [(await queue.submit(JOB, tenant="quiet")).id for _ in range(2)]
            order = [running.job_id for running in await worker.claim({"interactive": 6})]
            return ["quiet" if job_id in quiet else "flood" for job_id in order]

    order = asyncio.run(flooded())
    assert order.count("quiet") == 2
    assert order.index("quiet") <= 1
