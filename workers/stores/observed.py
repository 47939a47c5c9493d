"""Any vector store, with each call timed and, where traces are wanted, a span."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import perf_counter
from typing import Protocol

from shared.jobs import FacetValue, Payload
from shared.problems import problem_of
from shared.tracing import Tracing
from workers.stores.protocol import (
    Answer,
    FacetQuery,
    OrderQuery,
    Point,
    StoredCollection,
    StoredPoint,
    VectorQuery,
    VectorStore,
)


class StoreMeters(Protocol):
    """Told of every call: its name, `ok` or the problem's type, and how long it took."""

    def stored(self, call: str, outcome: str, took_s: float) -> None: ...


class ObservedStore:
    """Passes everything on to the store that it was given."""

    def __init__(self, store: VectorStore, meters: StoreMeters, tracing: Tracing) -> None:
        self._store = store
        self._meters = meters
        self._tracing = tracing

    @contextmanager
    def _call(self, name: str, size: int = 1) -> Iterator[None]:
        began, outcome = perf_counter(), "ok"
        try:
            with self._tracing.span(f"store {name}", role="client") as span:
                span.note(db__operation__name=name, db__operation__batch__size=size)
                yield
        except Exception as error:
            outcome = problem_of(error).type
            raise
        finally:
            self._meters.stored(name, outcome, perf_counter() - began)

    async def create(self, name: str, *, dim: int, indexes: Mapping[str, str], meta: Mapping[str, str]) -> None:
        with self._call("create"):
            await self._store.create(name, dim=dim, indexes=indexes, meta=meta)

    async def drop(self, name: str) -> None:
        with self._call("drop"):
            await self._store.drop(name)

    async def names(self) -> list[str]:
        with self._call("names"):
            return await self._store.names()

    async def describe(self, name: str) -> StoredCollection:
        with self._call("describe"):
            return await self._store.describe(name)

    async def set_meta(self, name: str, meta: Mapping[str, str]) -> None:
        with self._call("set_meta"):
            await self._store.set_meta(name, meta)

    async def upsert(self, name: str, points: Sequence[Point]) -> None:
        with self._call("upsert", len(points)):
            await self._store.upsert(name, points)

    async def set_payloads(self, name: str, payloads: Mapping[int, Payload]) -> None:
        with self._call("set_payloads", len(payloads)):
            await self._store.set_payloads(name, payloads)

    async def delete(self, name: str, ids: Sequence[int]) -> None:
        with self._call("delete", len(ids)):
            await self._store.delete(name, ids)

    async def retrieve(self, name: str, ids: Sequence[int], *, vectors: bool = False) -> dict[int, StoredPoint]:
        with self._call("retrieve", len(ids)):
            return await self._store.retrieve(name, ids, vectors=vectors)

    async def scroll(self, name: str, *, after: int | None, limit: int) -> list[StoredPoint]:
        with self._call("scroll", limit):
            return await self._store.scroll(name, after=after, limit=limit)

    async def search(self, name: str, queries: Sequence[VectorQuery]) -> list[Answer]:
        with self._call("search", len(queries)):
            return await self._store.search(name, queries)

    async def sample(self, name: str, limit: int) -> list[StoredPoint]:
        with self._call("sample", limit):
            return await self._store.sample(name, limit)

    async def facets(self, name: str, queries: Sequence[FacetQuery]) -> list[list[FacetValue]]:
        with self._call("facets", len(queries)):
            return await self._store.facets(name, queries)

    async def ordered(self, name: str, query: OrderQuery) -> list[StoredPoint]:
        with self._call("ordered"):
            return await self._store.ordered(name, query)

    async def optimize(self, name: str) -> None:
        with self._call("optimize"):
            await self._store.optimize(name)

    async def ping(self) -> None:
        with self._call("ping"):
            await self._store.ping()

    async def close(self) -> None:
        await self._store.close()
