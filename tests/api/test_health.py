import asyncio
import re

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

SAMPLE = re.compile(r'^[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? -?[0-9.e+-]+$')


async def test_readiness_tells_redis_queue_and_workers_apart(
    client: Client, worker: StandIn, settings: Settings
) -> None:
    ready = await client.get("/readyz")
    async with connect(settings) as redis:
        await redis.zadd(queue("interactive"), {f"j{n}": 9e15 for n in range(settings.max_queued_interactive)})
        full = await client.get("/readyz")
        await redis.flushall()
        idle = await client.get("/readyz")

    assert (ready.status_code, ready.json()) == (200, {"ready": True, "redis": True, "queue": True, "workers": 1})
    assert (full.status_code, full.json()["queue"], full.json()["workers"]) == (503, False, 1)
    assert (idle.status_code, idle.json()) == (503, {"ready": False, "redis": True, "queue": True, "workers": 0})


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
            while "clipline_inflight_requests 1" not in shown:
                shown = (await client.get("/metrics")).text
            refused = await client.get("/v1/jobs")
            assert (await client.get("/healthz")).status_code == 200
            async with connect(settings) as redis:
                await Queue(redis, settings).cancel("default", job)
            assert (await looking).json()["state"] == "cancelled"
            assert (await client.get("/v1/jobs")).status_code == 200

    assert problem(refused) == (503, "unavailable", None)
    assert 1 <= int(refused.headers["retry-after"]) <= 60


async def test_metrics_count_what_happens(client: Client, things: str, worker: StandIn) -> None:
    await client.post("/v1/search?wait=20", json=cat())
    await client.post("/v1/search", json=cat(limit=0))
    text = (await client.get("/metrics")).text

    assert 'clipline_http_requests_total{method="POST",status="200"} 1' in text
    assert 'clipline_http_requests_total{method="POST",status="422"} 1' in text
    assert 'clipline_lane_depth{lane="bulk"} 0' in text
    assert "clipline_workers 1" in text
    assert "clipline_redis_up 1" in text
    for line in text.splitlines():
        assert line.startswith(("# HELP ", "# TYPE ")) or SAMPLE.match(line), line


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
