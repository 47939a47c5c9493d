"""The embedded vector store: Qdrant Edge in a process of its own."""

from collections.abc import Mapping, Sequence

from shared.jobs import FacetValue, Payload
from shared.settings import Settings
from workers.stores import edge_wire as wire
from workers.stores.checks import check_name, check_new, check_points
from workers.stores.chunks import chunks
from workers.stores.edge_client import READ_TIMEOUT_S, STUCK_S, EdgeClient
from workers.stores.protocol import Answer, FacetQuery, OrderQuery, Point, StoredCollection, StoredPoint, VectorQuery

# One call holds the process for so long that a search behind it does not feel it: about 12 ms for 256 × 512.
POINTS_PER_CALL = 256
IDS_PER_CALL = 2_000
QUERIES_PER_CALL = 32


class QdrantEdgeStore:
    """Collections in folders below `settings.store_path`, which one process at a time may own."""

    def __init__(self, settings: Settings, *, read_timeout_s: float = READ_TIMEOUT_S, stuck_s: float = STUCK_S) -> None:
        self._client = EdgeClient(settings, read_timeout_s=read_timeout_s, stuck_s=stuck_s)

    @property
    def pid(self) -> int | None:
        """The process that holds the collections now; None while it is being started again."""
        return self._client.pid

    async def start(self) -> None:
        await self._client.start()

    async def create(self, name: str, *, dim: int, indexes: Mapping[str, str], meta: Mapping[str, str]) -> None:
        check_new(name, dim, indexes)
        await self._client.call(wire.Create(name, dim, dict(indexes), dict(meta)), None)

    async def drop(self, name: str) -> None:
        check_name(name)
        await self._client.call(wire.Drop(name), None)

    async def names(self) -> list[str]:
        names: list[str] = await self._client.call(wire.Names(), list[str])
        return names

    async def describe(self, name: str) -> StoredCollection:
        check_name(name)
        described: StoredCollection = await self._client.call(wire.Describe(name), StoredCollection)
        return described

    async def set_meta(self, name: str, meta: Mapping[str, str]) -> None:
        check_name(name)
        await self._client.call(wire.SetMeta(name, dict(meta)), None)

    async def upsert(self, name: str, points: Sequence[Point]) -> None:
        check_name(name)
        check_points(points)
        for some in chunks(points, POINTS_PER_CALL):
            await self._client.call(wire.Upsert(name, some), None)

    async def set_payloads(self, name: str, payloads: Mapping[int, Payload]) -> None:
        check_name(name)
        for some in chunks(list(payloads.items()), POINTS_PER_CALL):
            await self._client.call(wire.SetPayloads(name, dict(some)), None)

    async def delete(self, name: str, ids: Sequence[int]) -> None:
        check_name(name)
        for some in chunks(ids, IDS_PER_CALL):
            await self._client.call(wire.Delete(name, some), None)

    async def retrieve(self, name: str, ids: Sequence[int], *, vectors: bool = False) -> dict[int, StoredPoint]:
        check_name(name)
        found: dict[int, StoredPoint] = {}
        for some in chunks(ids, IDS_PER_CALL):
            found |= await self._client.call(wire.Retrieve(name, some, vectors), dict[int, StoredPoint])
        return found

    async def scroll(self, name: str, *, after: int | None, limit: int) -> list[StoredPoint]:
        check_name(name)
        start = 0 if after is None else after + 1
        found: list[StoredPoint] = await self._client.call(
            wire.Scroll(name, start, min(limit, IDS_PER_CALL)), list[StoredPoint]
        )
        return found

    async def search(self, name: str, queries: Sequence[VectorQuery]) -> list[Answer]:
        check_name(name)
        answers: list[Answer] = []
        for some in chunks(queries, QUERIES_PER_CALL):
            answers += await self._client.call(wire.Search(name, some), list[Answer])
        return answers

    async def sample(self, name: str, limit: int) -> list[StoredPoint]:
        check_name(name)
        drawn: list[StoredPoint] = await self._client.call(wire.Sample(name, limit), list[StoredPoint])
        return drawn

    async def facets(self, name: str, queries: Sequence[FacetQuery]) -> list[list[FacetValue]]:
        check_name(name)
        values: list[list[FacetValue]] = []
        # Call by call, so that a search behind them waits for one field alone.
        for query in queries:
            values += await self._client.call(wire.Facets(name, [query]), list[list[FacetValue]])
        return values

    async def ordered(self, name: str, query: OrderQuery) -> list[StoredPoint]:
        check_name(name)
        found: list[StoredPoint] = await self._client.call(wire.Ordered(name, query), list[StoredPoint])
        return found

    async def optimize(self, name: str) -> None:
        check_name(name)
        await self._client.call(wire.Optimize(name), None)

    async def ping(self) -> None:
        await self._client.call(wire.Ping(), None)

    async def close(self) -> None:
        await self._client.close()
