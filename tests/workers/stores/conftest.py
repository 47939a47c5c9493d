"""Every store that the contract runs over, each opened once for a module."""

import os
import socket
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import count
from pathlib import Path

import pytest
from qdrant_client import AsyncQdrantClient

from shared.settings import Settings
from workers.stores.protocol import VectorStore
from workers.stores.qdrant_edge import QdrantEdgeStore
from workers.stores.qdrant_server import QdrantServerStore, connect

SERVER_URL = os.environ.get("CLIPLINE_TEST_QDRANT_URL", "")
STORES = ["edge", "memory", *(["server"] if SERVER_URL else [])]

_numbers = count()


@asynccontextmanager
async def edge_store(folder: Path, *, scan_copies: bool = True) -> AsyncIterator[QdrantEdgeStore]:
    store = QdrantEdgeStore(Settings(data_dir=str(folder), scan_copies=scan_copies))
    await store.start()
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def server_store(client: AsyncQdrantClient, *, indexed: bool) -> AsyncIterator[QdrantServerStore]:
    store = QdrantServerStore(client, indexed=indexed, quantize=indexed)
    try:
        yield store
    finally:
        await store.close()


def opened(kind: str, folder: Path) -> AbstractAsyncContextManager[VectorStore]:
    if kind == "edge":
        return edge_store(folder)
    if kind == "memory":
        return server_store(AsyncQdrantClient(":memory:"), indexed=False)
    return server_store(connect(SERVER_URL, api_key=""), indexed=True)


@pytest.fixture(scope="module", params=STORES)
async def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[VectorStore]:
    async with opened(request.param, tmp_path_factory.mktemp("store")) as one:
        yield one


@pytest.fixture
async def edge(tmp_path: Path) -> AsyncIterator[QdrantEdgeStore]:
    """An embedded store of one test's own."""
    async with edge_store(tmp_path) as one:
        yield one


def fresh_name() -> str:
    """A collection that no other test uses, nor another run on the same server."""
    return f"test.c{os.getpid()}-{next(_numbers)}"


@pytest.fixture
def name() -> str:
    return fresh_name()


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
