"""docs/arq.md says what is so: its examples run, its names are the ones in the code."""

import ast
import inspect
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from shared import keys, wire
from shared.connection import connect
from shared.jobs import Ingest, JobView, Search
from shared.queue import Queue
from shared.settings import Settings
from tests.redis_server import RedisServer
from tests.shared.hand import a_search
from tests.workers.fleet import eventually
from tests.workers.models import save_model
from tests.workers.tasks.stack import Stack, settings_for, working
from workers.functions import functions

pytestmark = pytest.mark.anyio

DOCUMENT = (Path(__file__).parents[2] / "docs" / "arq.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```$", DOCUMENT, flags=re.MULTILINE | re.DOTALL)
*CLIENT, WORKER = BLOCKS


@pytest.fixture(scope="module")
def own(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    redis_server.flush()
    folder = tmp_path_factory.mktemp("docs")
    return settings_for(redis_server.url, save_model(folder / "model"), folder)


@pytest.fixture
async def stack(own: Settings) -> AsyncIterator[Stack]:
    async with working(own) as one:
        yield one


async def run(block: str, names: dict[str, Any]) -> None:
    """As in `python -m asyncio`, where a line may await."""
    code = compile(block, "docs/arq.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    outcome = eval(code, names)
    if inspect.isawaitable(outcome):
        await outcome


async def test_the_clients_examples_run(stack: Stack, own: Settings) -> None:
    await stack.create(tenant="default", name="pictograms")
    files = [stack.file(f"{number}.png") for number in range(3)]
    await stack.answer(Ingest(collection="pictograms", files=files), tenant="default")
    names: dict[str, Any] = {"url": own.redis_url}
    for block in CLIENT:
        await run(block, names)
    await names["redis"].connection_pool.disconnect()
    assert len(names["result"]["hits"]) == 3
    assert names["best"]["score"] == max(hit["score"] for hit in names["result"]["hits"])
    assert (names["problem"]["type"], names["problem"]["status"]) == ("collection-not-found", 404)
    view = await stack.queue.result("default", names["job"].job_id)
    assert (view.state, view.collection, view.text) == ("failed", "no-such", "cat")


async def test_the_stock_workers_example_runs_what_our_queue_enqueued(own: Settings) -> None:
    async with working(own) as before:
        await before.create(name="stock")
    async with connect(own) as redis:
        queue = Queue(redis, own)
        sent = await queue.submit(
            Search(collection="stock", query=a_search("cat").query, deadline_ms=60_000), tenant="t"
        )
        await run(WORKER, {"settings": own})
        view = await queue.result("t", sent.id)
    assert view.state == "succeeded"
    assert view.result is not None
    assert (view.result["hits"], view.result["exhausted"]) == ([], True)


async def adopted(stack: Stack, job_id: str) -> JobView:
    """The ledger hears of a stock client's job when a worker takes it."""
    await eventually(lambda: stack.queue.ledger.many("default", [job_id]))
    return await stack.queue.wait("default", job_id, timeout_s=30)


async def test_what_arq_lets_a_client_say_is_heeded(stack: Stack) -> None:
    redis, body = stack.parts.redis, {"collection": "p", "query": {"text": "cat"}}
    lane: dict[str, Any] = {"_queue_name": keys.queue("interactive")}
    late = await redis.enqueue_job("search", body, _expires=0.001, _defer_by=0.05, _job_id="my-own-id", **lane)
    assert late is not None
    assert await redis.enqueue_job("search", body, _defer_by=600, _job_id="far-off", **lane) is not None
    assert await redis.enqueue_job("search", body, _job_id="far-off", **lane) is None
    assert (await adopted(stack, "my-own-id")).state == "expired"
    assert await stack.queue.ledger.many("default", ["far-off"]) == {}
    await redis.delete(keys.ARQ_JOB + "far-off")
    await redis.zrem(keys.queue("interactive"), "far-off")


async def test_a_stock_clients_mistake_fails_by_its_field(stack: Stack) -> None:
    redis = stack.parts.redis
    job = await redis.enqueue_job("search", {"collection": "p", "query": {"text": 5}}, _queue_name=keys.queue("bulk"))
    assert job is not None
    await redis.rpush(keys.wake("interactive"), "1")
    ended = await adopted(stack, job.job_id)
    assert ended.error is not None
    assert (ended.error.type, ended.error.field) == ("invalid", "query.text")


def test_the_serializers_of_the_document_and_ours_read_each_other() -> None:
    names: dict[str, Any] = {}
    exec(BLOCKS[0], names)
    body: dict[str, Any] = {
        "t": None,
        "f": "search",
        "a": [{"query": {"image": b"\0\xff", "text": "żółw"}}],
        "k": {},
        "et": 1,
    }
    assert names["decode"](wire.encode(body)) == wire.decode(names["encode"](body)) == body
    assert names["decode"](names["encode"](ValueError("x"))) == {"type": "ValueError", "detail": "x"}


def test_the_document_names_every_function_queue_and_key() -> None:
    for function in functions(Settings()):
        assert f"| `{function.name}` |" in DOCUMENT
    written = [
        keys.queue("interactive"),
        keys.queue("bulk"),
        keys.EVENTS,
        keys.wake("interactive"),
        keys.CONTROL,
        keys.WORKERS,
    ]
    written += [keys.record("ID"), keys.kept_body("ID"), keys.blob("ID"), keys.worker("ID")]
    written += [f"{key}ID" for key in (keys.ARQ_JOB, keys.ARQ_RESULT, keys.ARQ_RETRY, keys.ARQ_LEASE)]
    for name in written:
        assert f"`{name}`" in DOCUMENT, name


def test_every_setting_that_the_document_names_exists() -> None:
    known = {f"CLIPLINE_{field.upper()}" for field in Settings.__struct_fields__}
    assert set(re.findall(r"CLIPLINE_[A-Z_]+", DOCUMENT)) <= known
