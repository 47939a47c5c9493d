"""The server adapter before a server that is away, fails, is too old, or is no Qdrant."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from qdrant_client import AsyncQdrantClient

from shared.errors import CliplineError, CollectionNotFound, Invalid, StoreAway
from tests.workers.stores.conftest import server_store
from tests.workers.stores.vectors import DIM, points, unit
from workers.stores.plan import OPEN, Fetch, Situation
from workers.stores.plan_trials import TRIALS
from workers.stores.protocol import VectorQuery, VectorStore
from workers.stores.qdrant_server import connect
from workers.stores.server_search import ServerSearch

pytestmark = pytest.mark.anyio

NAME = "test.pictures"
Answer = tuple[int, Any]


@asynccontextmanager
async def answering(answer: Callable[[str], Answer]) -> AsyncIterator[tuple[VectorStore, list[str]]]:
    """A store before an HTTP server that answers every path as told, and the connections' requests so far: the
    client's port, method, path, body."""
    seen: list[str] = []

    async def on_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = str(writer.get_extra_info("peername")[1])
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                sent = await reader.readexactly(_length(head))
                method, path, _ = head.decode().split(" ", 2)
                seen.append(f"{peer} {method} {path} {sent.decode()}")
                status, body = answer(path)
                data = json.dumps(body).encode()
                writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: {len(data)}\r\n\r\n".encode() + data)
        except asyncio.IncompleteReadError:
            writer.close()

    server = await asyncio.start_server(on_connection, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, server_store(connect(f"http://127.0.0.1:{port}", api_key="k"), indexed=True) as store:
        yield store, seen


def _length(head: bytes) -> int:
    lines = head.decode().lower().split("\r\n")
    return next((int(line.split(":")[1]) for line in lines if line.startswith("content-length:")), 0)


async def test_a_dead_url_is_away_and_soon_fails_without_being_tried(unused_port: int) -> None:
    query = VectorQuery(vector=unit(1)[0].tobytes(), limit=1)
    async with server_store(connect(f"http://127.0.0.1:{unused_port}", api_key=""), indexed=True) as store:
        for call in (store.ping(), store.names(), store.describe(NAME), store.upsert(NAME, points([1]))):
            with pytest.raises(StoreAway, match="does not answer"):
                await call
        with pytest.raises(StoreAway):
            await store.search(NAME, [query])
        with pytest.raises(StoreAway, match="failed 5 times in a row"):
            await store.ping()


@pytest.mark.parametrize(
    ("status", "error"),
    [(404, CollectionNotFound), (400, Invalid), (422, Invalid), (401, StoreAway), (429, StoreAway), (500, StoreAway)],
)
async def test_statuses_become_our_errors(status: int, error: type[CliplineError]) -> None:
    async with answering(lambda _: (status, {"status": {"error": "no"}})) as (store, _):
        with pytest.raises(error):
            await store.describe(NAME)


async def test_a_server_that_is_no_qdrant_is_away() -> None:
    async with answering(lambda _: (200, ["hello"])) as (store, _):
        for call in (store.ping(), store.names(), store.describe(NAME)):
            with pytest.raises(StoreAway):
                await call


async def test_a_server_that_keeps_no_metadata_is_refused() -> None:
    async with answering(lambda _: (200, {"title": "qdrant", "version": "1.15.3"})) as (store, _):
        with pytest.raises(StoreAway, match=r"1\.16 or newer"):
            await store.create(NAME, dim=4, indexes={}, meta={})


@pytest.mark.parametrize(("version", "quantized"), [("1.16.0", False), ("1.19.4", False), ("1.20.0", True)])
async def test_vectors_are_quantised_where_the_server_can(version: str, quantized: bool) -> None:
    def answer(path: str) -> Answer:
        if path == "/":
            return 200, {"title": "qdrant", "version": version}
        return 200, {"result": {"exists": False} if path.endswith("/exists") else True, "status": "ok", "time": 0.0}

    async with answering(answer) as (store, seen):
        with pytest.raises(CollectionNotFound):
            await store.create(NAME, dim=4, indexes={}, meta={})
    [made] = [line.split(" ", 3)[3] for line in seen if f" PUT /collections/{NAME}" in line]
    assert json.loads(made).get("quantization_config") == ({"turbo": {"bits": "bits8"}} if quantized else None)


async def test_calls_one_after_the_other_share_a_connection() -> None:
    async with answering(lambda _: (200, {"title": "qdrant", "version": "1.16.0"})) as (store, seen):
        for _ in range(5):
            await store.ping()
    assert len(seen) == 5
    assert len({line.split()[0] for line in seen}) == 1


async def test_plans_are_tried_beside_searches_and_a_trial_that_fails_is_given_up() -> None:
    client = AsyncQdrantClient(":memory:")
    async with server_store(client, indexed=False) as store:
        await store.create(NAME, dim=DIM, indexes={}, meta={})
        await store.upsert(NAME, points(range(50)))
        search = ServerSearch(client, indexed=False)
        # As if they were so many that an exact scan costs far more than a graph.
        where = Situation(points=100_000_000, dim=DIM, passing=100_000_000, excluded=0)
        graph = Fetch(OPEN[0].plan(10), 10, exclude=True)
        query = VectorQuery(vector=unit(1)[0].tobytes(), limit=10)
        for _ in range(TRIALS):
            [answer] = await search.run(NAME, [query], dim=DIM, size=where.points)
            assert (answer.plan, len(answer)) == ("exact", 10)
            await search.settled()
        planner = search._planner(NAME, DIM)
        assert planner.trials.trusted(where, graph)
        planner.later.add(query, where, [graph], again=True)
        await store.drop(NAME)
        search.try_later()
        await search.settled()
        assert not planner.later.waiting
        planner.later.add(query, where, [graph], again=True)
        search.try_later()
        await search.close()
        assert planner.later.waiting
