"""A Redis that is further away, 1 ms and 20 ms: jobs run, leases hold, nobody reconnects in a loop."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import httpx
import pytest
from arq.connections import ArqRedis

from shared import keys
from shared.clock import now_ms
from shared.connection import connect
from shared.settings import Settings
from tests.api.conftest import make_collection
from tests.api.serving import serving
from tests.api.stand_in import StandIn, working
from tests.redis_server import RedisServer
from tests.workers.fleet import eventually

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]
JOBS = 60
AT_ONCE = 12
# Twice as long as a busy machine may stand still.
LEASE_S = 6.0


@contextmanager
def further_away(server: RedisServer, latency_ms: float) -> Iterator[str]:
    """The URL of a proxy that holds back every answer."""
    command = [sys.executable, "-m", "bench.latency_proxy", str(server.socket), str(latency_ms)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as proxy:
        assert proxy.stdout is not None
        try:
            yield f"redis://127.0.0.1:{int(proxy.stdout.readline())}/0"
        finally:
            proxy.terminate()


@asynccontextmanager
async def stack(settings: Settings) -> AsyncIterator[tuple[httpx.AsyncClient, StandIn]]:
    """An API and a worker that know Redis by these settings alone."""
    with serving(settings) as api:
        async with working(settings) as worker, httpx.AsyncClient(base_url=api.url, timeout=60) as client:
            yield client, worker


def search(text: str) -> dict[str, object]:
    return {"collection": "things", "query": {"text": text}}


async def run_many(client: httpx.AsyncClient) -> list[dict[str, object]]:
    """Some at a time, as people come."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> dict[str, object]:
        async with room:
            answer = await client.post("/v1/search?wait=30", json=search(f"cat {number}"))
            job: dict[str, object] = answer.json()
            return job

    return list(await asyncio.gather(*(one(number) for number in range(JOBS))))


async def connections(redis: ArqRedis) -> int:
    """That were ever made to this Redis."""
    return int((await redis.info("stats"))["total_connections_received"])


@pytest.mark.parametrize("latency_ms", [1, 20])
async def test_jobs_run_over_a_slow_connection(
    latency_ms: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with RedisServer() as server, further_away(server, latency_ms) as url:
        near = Settings(redis_url=server.url)
        settings = Settings(redis_url=url, data_dir=str(tmp_path), port=0, lease_s=LEASE_S)
        await make_collection(near, "default", "things")
        async with connect(near) as redis, stack(settings) as (client, worker):
            warm = await run_many(client)
            before = await connections(redis)
            jobs = await run_many(client)
            made = await connections(redis) - before
            await keeps_its_lease(redis, client, worker)

    assert {(job["state"], job["attempts"]) for job in (*warm, *jobs)} == {("succeeded", 1)}
    # Pools may still grow to what is asked of them at once, and never more.
    assert made <= AT_ONCE
    assert not [
        line for line in caplog.messages if any(word in line for word in ("lost", "lapsed", "no jobs can be taken"))
    ]


async def keeps_its_lease(redis: ArqRedis, client: httpx.AsyncClient, worker: StandIn) -> None:
    """A job that runs for longer than a lease is still its worker's, and is done in one attempt."""
    job = (await client.post("/v1/search", json=search("wait"))).json()["id"]
    await worker.waiting.acquire()
    began_ms = now_ms()
    await eventually(lambda: now_ms() > began_ms + 1_100 * LEASE_S)
    assert await redis.get(keys.ARQ_LEASE + job) == b"w1"
    worker.gate.set()
    ended = (await client.get(f"/v1/jobs/{job}?wait=30")).json()
    assert (ended["state"], ended["attempts"], ended["worker"]) == ("succeeded", 1, "w1")
