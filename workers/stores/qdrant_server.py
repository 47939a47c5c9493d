"""The vector store on a Qdrant server, 1.16 or newer (it keeps metadata with a collection)."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import httpx
from qdrant_client import AsyncQdrantClient, models

from shared.errors import CollectionNotFound, Invalid
from shared.jobs import COUNTED, ORDERED, FacetValue, Payload
from shared.payload_path import path_of
from workers.stores import server_dialect as dialect
from workers.stores.breaker import Breaker
from workers.stores.checks import (
    check_indexed,
    check_name,
    check_new,
    check_payload,
    check_points,
    is_name,
    sorted_values,
)
from workers.stores.chunks import chunks
from workers.stores.conditions import build_filter
from workers.stores.protocol import (
    Answer,
    FacetQuery,
    OrderQuery,
    Point,
    StoredCollection,
    StoredPoint,
    VectorQuery,
)
from workers.stores.server_create import create_collection, create_indexes
from workers.stores.server_errors import translated
from workers.stores.server_facts import Facts, as_metadata
from workers.stores.server_search import ServerSearch

TIMEOUT_S = 10
MAX_CONNECTIONS = 32
# A point of 512 numbers is about 10 KiB of JSON, and a server refuses 32 MiB.
POINTS_PER_CALL = 256
IDS_PER_CALL = 2_000
QUERIES_PER_CALL = 64


def connect(url: str, *, api_key: str) -> AsyncQdrantClient:
    """Without `limits` the client opens a new connection per call on localhost."""
    return AsyncQdrantClient(
        url=url,
        headers={"api-key": api_key} if api_key else None,
        timeout=TIMEOUT_S,
        check_compatibility=False,
        limits=httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_CONNECTIONS),
    )


class QdrantServerStore:
    """Collections on a server, through a circuit breaker.

    `indexed=False` is for clients without an engine (qdrant-client's local mode): no payload indexes, no search
    parameters.
    """

    def __init__(
        self,
        client: AsyncQdrantClient,
        *,
        indexed: bool = True,
        quantize: bool = False,
        breaker: Breaker | None = None,
    ) -> None:
        self._client = client
        self._indexed = indexed
        self._quantize = quantize
        self._breaker = breaker or Breaker()
        self._search = ServerSearch(client, indexed=indexed)
        self._facts = Facts(client)

    async def create(self, name: str, *, dim: int, indexes: Mapping[str, str], meta: Mapping[str, str]) -> None:
        check_new(name, dim, indexes)
        metadata = as_metadata(indexes, meta)
        with self._guard(name):
            await create_collection(self._client, name, dim=dim, metadata=metadata, quantize=self._quantize)
            # Also for one that exists: its creator may have ended between the collection and its indexes.
            if self._indexed:
                await create_indexes(self._client, name, (await self._facts.of(name)).indexes)

    async def drop(self, name: str) -> None:
        check_name(name)
        with self._guard(name):
            await self._client.delete_collection(name)
            self._forget(name)

    async def names(self) -> list[str]:
        with self._guard(""):
            answer = await self._client.get_collections()
        return sorted(one.name for one in answer.collections if is_name(one.name))

    async def describe(self, name: str) -> StoredCollection:
        check_name(name)
        with self._guard(name):
            facts = await self._facts.of(name, fresh=True)
            count = (await self._client.count(name, exact=True)).count
        return StoredCollection(
            name=name,
            dim=facts.dim,
            count=count,
            indexes=facts.indexes,
            meta=facts.meta,
        )

    async def set_meta(self, name: str, meta: Mapping[str, str]) -> None:
        check_name(name)
        with self._guard(name):
            await self._facts.of(name)
            await self._client.update_collection(name, metadata=as_metadata({}, meta))

    async def upsert(self, name: str, points: Sequence[Point]) -> None:
        check_name(name)
        check_points(points)
        for point in points:
            check_payload(point.payload)
        for some in chunks(points, POINTS_PER_CALL):
            with self._guard(name):
                facts = await self._facts.of(name)
                if some:
                    await self._client.upsert(name, dialect.batch(some, dim=facts.dim), wait=True)

    async def set_payloads(self, name: str, payloads: Mapping[int, Payload]) -> None:
        check_name(name)
        existing = await self.retrieve(name, list(payloads))
        for some in chunks(list(existing), POINTS_PER_CALL):
            operations = [_overwrite(id_, payloads[id_]) for id_ in some]
            with self._guard(name):
                if operations:
                    await self._client.batch_update_points(name, operations, wait=True)

    async def delete(self, name: str, ids: Sequence[int]) -> None:
        check_name(name)
        for some in chunks(ids, IDS_PER_CALL):
            with self._guard(name):
                await self._facts.of(name)
                if some:
                    await self._client.delete(name, models.PointIdsList(points=list(some)), wait=True)

    async def retrieve(self, name: str, ids: Sequence[int], *, vectors: bool = False) -> dict[int, StoredPoint]:
        check_name(name)
        found: dict[int, StoredPoint] = {}
        for some in chunks(ids, IDS_PER_CALL):
            with self._guard(name):
                await self._facts.of(name)
                records = await self._client.retrieve(name, some, with_payload=True, with_vectors=vectors)
            found |= {one.id: one for one in (dialect.stored(record, vectors=vectors) for record in records)}
        return found

    async def scroll(self, name: str, *, after: int | None, limit: int) -> list[StoredPoint]:
        check_name(name)
        start = 0 if after is None else after + 1
        with self._guard(name):
            await self._facts.of(name)
            records, _ = await self._client.scroll(
                name, offset=start, limit=min(limit, IDS_PER_CALL), with_payload=True, with_vectors=False
            )
        return [dialect.stored(record, vectors=False) for record in records]

    async def search(self, name: str, queries: Sequence[VectorQuery]) -> list[Answer]:
        check_name(name)
        answers: list[Answer] = []
        for some in chunks(queries, QUERIES_PER_CALL):
            with self._guard(name):
                facts = await self._facts.of(name)
                answers += await self._search.run(name, some, dim=facts.dim, size=facts.size)
        return answers

    async def sample(self, name: str, limit: int) -> list[StoredPoint]:
        check_name(name)
        drawn = models.SampleQuery(sample=models.Sample.RANDOM)
        with self._guard(name):
            await self._facts.of(name)
            found = await self._client.query_points(
                name, query=drawn, limit=limit, with_vectors=True, with_payload=False
            )
        return [dialect.stored(one, vectors=True) for one in found.points]

    async def facets(self, name: str, queries: Sequence[FacetQuery]) -> list[list[FacetValue]]:
        check_name(name)
        with self._guard(name):
            indexes = (await self._facts.of(name)).indexes
            for query in queries:
                check_indexed(query.field, indexes, types=COUNTED)
            return [await self._facet(name, query) for query in queries]

    async def _facet(self, name: str, query: FacetQuery) -> list[FacetValue]:
        where = build_filter(query.filter, dialect.DIALECT)
        found = await self._client.facet(name, path_of(query.field), facet_filter=where, limit=query.limit, exact=True)
        return sorted_values(map(dialect.facet_value, found.hits))

    async def ordered(self, name: str, query: OrderQuery) -> list[StoredPoint]:
        check_name(name)
        with self._guard(name):
            check_indexed(query.order, (await self._facts.of(name)).indexes, types=ORDERED)
            records, _ = await self._client.scroll(
                name,
                scroll_filter=build_filter(query.filter, dialect.DIALECT),
                limit=query.limit,
                order_by=dialect.order_by(query),
                with_payload=True,
            )
        # A list in the field would bring its point twice.
        return list({int(one.id): dialect.stored(one, vectors=False) for one in records}.values())

    async def optimize(self, name: str) -> None:
        """The server optimises by itself; this only finds that the collection is there."""
        check_name(name)
        with self._guard(name):
            await self._facts.of(name)

    async def ping(self) -> None:
        with self._guard(""):
            await self._client.info()

    async def close(self) -> None:
        await self._search.close()
        await self._client.close()

    @contextmanager
    def _guard(self, name: str) -> Iterator[None]:
        """Around calls to the client: the breaker, and errors in our own words."""
        with self._breaker.watch(), translated(name):
            try:
                yield
            except CollectionNotFound:
                self._forget(name)
                raise
            except Invalid:
                # Another worker may have made it anew with another dimension.
                self._facts.forget(name)
                raise

    def _forget(self, name: str) -> None:
        self._facts.forget(name)
        self._search.forget(name)


def _overwrite(id_: int, payload: Payload) -> models.OverwritePayloadOperation:
    return models.OverwritePayloadOperation(overwrite_payload=models.SetPayload(payload=payload, points=[id_]))
