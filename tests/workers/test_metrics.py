"""A worker's metrics: what they count is what happened, on a port that no caller can block for long."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import msgspec
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from shared.jobs import Query, Search
from shared.metrics import exposition
from shared.settings import Settings, SettingsError
from shared.tracing import Untraced
from tests.redis_server import RedisServer
from tests.workers.fleet import eventually, running_worker
from tests.workers.tasks.stack import Stack, settings_for, working
from workers.batches import Batched
from workers.functions import functions
from workers.gauges import shown
from workers.metrics import Metrics
from workers.metrics_port import metrics_port
from workers.stores.observed import ObservedStore

pytestmark = pytest.mark.anyio

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture(scope="module")
async def stack(
    redis_server: RedisServer, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stack]:
    redis_server.flush()
    async with working(settings_for(redis_server.url, tiny_model, tmp_path_factory.mktemp("metrics"))) as one:
        yield one


def samples(text: str) -> Samples:
    families = text_string_to_metric_families(text)
    return {(one.name, frozenset(one.labels.items())): one.value for family in families for one in family.samples}


def read(registry: CollectorRegistry) -> Samples:
    return samples(exposition(registry, "")[0].decode())


def value(found: Samples, name: str, **labels: str) -> float:
    return found.get((name, frozenset(labels.items())), 0.0)


async def test_a_search_is_counted_in_every_stage(stack: Stack) -> None:
    metrics = stack.parts.metrics
    collection = await stack.create()
    before = read(metrics.registry)
    await stack.search(collection, Query(text="a red square"))
    after = read(metrics.registry)

    def grown(name: str, **labels: str) -> float:
        return value(after, name, **labels) - value(before, name, **labels)

    assert grown("clipline_job_wait_seconds_count", kind="search", lane="interactive") == 1
    assert grown("clipline_job_run_seconds_count", kind="search", outcome="succeeded") == 1
    assert grown("clipline_job_stage_seconds_count", kind="search", stage="encode") == 1
    assert grown("clipline_job_stage_seconds_count", kind="search", stage="total") == 1
    assert grown("clipline_batch_items_count", kind="text") == 1
    assert grown("clipline_batch_wait_seconds_count", kind="text") == 1
    assert grown("clipline_cache_requests_total", cache="text", outcome="miss") == 1
    assert grown("clipline_store_seconds_count", call="search", outcome="ok") == 1


async def test_a_failed_job_is_counted_by_its_problem(stack: Stack) -> None:
    await stack.problem(Search(collection="no-such", query=Query(text="a")))
    found = read(stack.parts.metrics.registry)
    assert value(found, "clipline_job_run_seconds_count", kind="search", outcome="collection-not-found") == 1


async def test_a_store_s_refusal_is_counted_by_its_problem(stack: Stack) -> None:
    metrics = Metrics()
    observed = ObservedStore(stack.parts.store, metrics, Untraced())
    with pytest.raises(Exception, match="no-such"):
        await observed.describe("t.no-such")
    found = read(metrics.registry)
    assert value(found, "clipline_store_seconds_count", call="describe", outcome="collection-not-found") == 1


def test_a_batch_is_told_with_its_fill_and_what_was_shared() -> None:
    metrics = Metrics()
    metrics.batched(Batched(kind="text", items=6, distinct=4, room=8, waits_s=[0.001] * 6, took_s=0.01))
    metrics.batched(Batched(kind="image", items=1, distinct=1, room=8, waits_s=[0.0], took_s=0.01))
    found = read(metrics.registry)

    assert value(found, "clipline_batch_items_sum", kind="text") == 6
    assert value(found, "clipline_batch_fill_ratio_sum", kind="text") == 0.75
    assert value(found, "clipline_batch_wait_seconds_count", kind="text") == 6
    assert value(found, "clipline_cache_requests_total", cache="text", outcome="shared") == 2
    assert value(found, "clipline_cache_requests_total", cache="text", outcome="miss") == 4


async def test_the_gauges_tell_of_one_worker_while_it_works(stack: Stack) -> None:
    registry = stack.parts.metrics.registry
    settings = msgspec.structs.replace(stack.parts.settings, max_jobs=7)
    async with running_worker(settings, functions(settings), worker_id="w2") as worker:
        await eventually(lambda: worker.main_task is not None)
        with shown(worker, stack.parts):
            found = read(registry)
    assert value(found, "clipline_worker_places", lane="bulk") == settings.max_bulk_jobs
    assert value(found, "clipline_worker_running", lane="interactive") == 0
    assert [dict(labels)["worker"] for name, labels in found if name == "clipline_worker_info"] == ["w2"]
    assert not [name for name, _ in read(registry) if name == "clipline_worker_info"]


async def fetched(url: str) -> httpx.Response:
    async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
        return await client.get(url)


async def test_the_port_answers_prometheus_and_nothing_else() -> None:
    metrics = Metrics()
    async with metrics_port("127.0.0.1:0", metrics.registry) as url:
        assert url is not None
        found, other = await fetched(url), await fetched(url.removesuffix("metrics"))
    assert found.headers["content-type"].startswith("text/plain; version=")
    assert value(samples(found.text), "clipline_event_loop_lag_seconds_count") == 0
    assert other.status_code == 404


async def test_a_caller_who_says_nothing_is_hung_up_on() -> None:
    async with metrics_port("127.0.0.1:0", Metrics().registry, caller_s=2.0) as url:
        assert url is not None
        host, port = httpx.URL(url).host, httpx.URL(url).port
        reader, writer = await asyncio.open_connection(host, port)
        assert (await fetched(url)).status_code == 200
        async with asyncio.timeout(30):
            assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()


async def test_a_port_that_is_taken_names_its_setting() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(SettingsError, match="CLIPLINE_METRICS_LISTEN"):
            async with metrics_port(f"127.0.0.1:{taken.getsockname()[1]}", Metrics().registry):
                pass


async def test_without_the_setting_there_is_no_port() -> None:
    async with metrics_port(Settings().metrics_listen, Metrics().registry) as url:
        assert url is None
