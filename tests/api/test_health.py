import asyncio

import httpx
import msgspec
import pytest

from shared.connection import connect
from shared.keys import queue
from shared.queue import Queue
from shared.settings import Settings
from tests.api.conftest import Client
from tests.api.serving import serving
from tests.api.stand_in import StandIn
from tests.api.test_search import cat, problem

pytestmark = pytest.mark.anyio

READY = {"ready": True, "redis": True, "memory": True, "queue": True, "workers": 1}


async def test_readiness_tells_redis_queue_and_workers_apart(
    client: Client, worker: StandIn, settings: Settings
) -> None:
    ready = await client.get("/readyz")
    async with connect(settings) as redis:
        await redis.zadd(queue("interactive"), {f"j{n}": 9e15 for n in range(settings.max_queued_interactive)})
        full = await client.get("/readyz")
        await redis.flushall()
        idle = await client.get("/readyz")

    assert (ready.status_code, ready.json()) == (200, {**READY, "ready": True})
    assert (full.status_code, full.json()["queue"], full.json()["workers"]) == (503, False, 1)
    assert (idle.status_code, idle.json()) == (503, {**READY, "ready": False, "workers": 0})


async def test_readiness_tells_a_redis_without_memory_apart(
    client: Client, worker: StandIn, settings: Settings, things: str
) -> None:
    async with connect(settings) as redis:
        await redis.config_set("maxmemory", 1)
        try:
            full = await client.get("/readyz")
            refused = await client.post("/v1/search", json=cat())
            used = (await client.get("/metrics")).text
            await redis.config_set("maxmemory", 2**40)
            roomy = await client.get("/readyz")
        finally:
            await redis.config_set("maxmemory", 0)

    assert (full.status_code, full.json()) == (503, {**READY, "ready": False, "memory": False})
    assert problem(refused) == (503, "queue-full", None)
    assert "clipline_redis_memory_max_bytes 1.0" in used
    assert 'clipline_refused_total{reason="queue-full"} 1.0' in used
    assert (roomy.status_code, roomy.json()) == (200, READY)


async def test_a_full_lane_refuses_searches_with_503(client: Client, things: str, settings: Settings) -> None:
    async with connect(settings) as redis:
        await redis.zadd(queue("interactive"), {f"j{n}": 9e15 for n in range(settings.max_queued_interactive)})

    refused = await client.post("/v1/search", json=cat())

    assert problem(refused) == (503, "queue-full", None)
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert (await client.get("/v1/jobs")).json()["jobs"] == []


async def test_requests_beyond_the_bound_are_refused_and_probes_are_not(settings: Settings, things: str) -> None:
    with serving(msgspec.structs.replace(settings, max_inflight=1)) as api:
        async with httpx.AsyncClient(base_url=api.url, timeout=30) as client:
            job = (await client.post("/v1/search", json=cat())).json()["id"]
            looking = asyncio.create_task(client.get(f"/v1/jobs/{job}?wait=30"))
            shown = ""
            while "clipline_inflight_requests 1.0" not in shown:
                shown = (await client.get("/metrics")).text
            refused = await client.get("/v1/jobs")
            assert (await client.get("/healthz")).status_code == 200
            async with connect(settings) as redis:
                await Queue(redis, settings).cancel("default", job)
            assert (await looking).json()["state"] == "cancelled"
            assert (await client.get("/v1/jobs")).status_code == 200

    assert problem(refused) == (503, "unavailable", None)
    assert 1 <= int(refused.headers["retry-after"]) <= 60


async def test_lanes_tell_what_waits_and_what_runs(client: Client, things: str, worker: StandIn) -> None:
    await client.post("/v1/search", json=cat(query={"text": "wait"}))
    await worker.waiting.acquire()

    interactive, bulk = (await client.get("/v1/queues")).json()["queues"]
    [one] = (await client.get("/v1/workers")).json()["workers"]

    assert (interactive["name"], interactive["depth"], interactive["running"]) == ("interactive", 0, 1)
    assert (bulk["name"], bulk["oldest_age_s"], bulk["paused"]) == ("bulk", None, False)
    assert (one["id"], one["device"]) == ("w1", "cpu")


async def test_the_oldest_waiting_job_has_an_age(client: Client, things: str) -> None:
    await client.post("/v1/search", json=cat())

    interactive = (await client.get("/v1/queues")).json()["queues"][0]

    assert interactive["depth"] == 1
    assert interactive["oldest_age_s"] >= 0
