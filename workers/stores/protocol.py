"""What a vector store does for Clipline."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import msgspec

from shared.filters import Filter
from shared.jobs import FacetValue, GroupKey, Payload, PlanName


class StoredCollection(msgspec.Struct, frozen=True, kw_only=True):
    """A collection in the store. `meta` is what the creator wanted kept with it (model fingerprint, group field …)."""

    name: str
    dim: int
    count: int
    indexes: dict[str, str]
    meta: dict[str, str]


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One vector to store; unit length, float32 little-endian bytes, `dim` × 4 of them."""

    id: int
    vector: bytes
    payload: Payload


class StoredPoint(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored under an id; `vector` only when it was asked for."""

    id: int
    payload: Payload
    vector: bytes | None = None


class VectorQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Nearest points by cosine that pass the filter and are not excluded.

    With `positive` vectors, those that are nearer to one of them than to any of `negative`, by Qdrant's `best_score`;
    then `vector` is not looked at.
    """

    vector: bytes
    limit: int
    filter: Filter | None = None
    exclude_ids: Sequence[int] = ()
    exclude_field: str | None = None
    exclude_groups: Sequence[GroupKey] = ()
    payload: bool = True
    positive: Sequence[bytes] = ()
    negative: Sequence[bytes] = ()


class Scored(msgspec.Struct, frozen=True, kw_only=True):
    """One result, best first; `score` is the cosine, or between -1 and 1 where examples are compared."""

    id: int
    score: float
    payload: Payload | None = None


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The hits of one query, best first, which it reads as; the last plan that was run, and how many were."""

    hits: list[Scored]
    plan: PlanName
    rounds: int = 1

    def __iter__(self) -> Iterator[Scored]:
        return iter(self.hits)

    def __len__(self) -> int:
        return len(self.hits)

    def __getitem__(self, place: int) -> Scored:
        return self.hits[place]


class FacetQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Count the values of an indexed field among the points that pass the filter."""

    field: str
    limit: int
    filter: Filter | None = None


class OrderQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The first points that pass the filter, by an indexed field; a point without that field is none of them."""

    filter: Filter
    order: str
    limit: int
    descending: bool = False


class VectorStore(Protocol):
    """Collections of unit vectors with payloads.

    Every call raises CollectionNotFound for a name that the store lacks, StoreAway when it does not answer in time, and
    Invalid for a vector of another dimension. Names are `tenant.collection`, or `tenant.collection.generation`.
    """

    async def create(self, name: str, *, dim: int, indexes: Mapping[str, str], meta: Mapping[str, str]) -> None:
        """Create a collection with payload indexes (field → `FieldType`); an existing one is kept."""

    async def drop(self, name: str) -> None:
        """Remove a collection and its vectors; one that is not there is no error."""

    async def names(self) -> list[str]: ...

    async def describe(self, name: str) -> StoredCollection:
        """Exact count and what the collection was made with."""

    async def set_meta(self, name: str, meta: Mapping[str, str]) -> None:
        """Merge into what is kept with the collection."""

    async def upsert(self, name: str, points: Sequence[Point]) -> None:
        """Store points durably: when this returns, a killed process does not lose them."""

    async def set_payloads(self, name: str, payloads: Mapping[int, Payload]) -> None:
        """Replace the payloads of existing points."""

    async def delete(self, name: str, ids: Sequence[int]) -> None: ...

    async def retrieve(self, name: str, ids: Sequence[int], *, vectors: bool = False) -> dict[int, StoredPoint]:
        """The points that exist among `ids`."""

    async def scroll(self, name: str, *, after: int | None, limit: int) -> list[StoredPoint]:
        """Points without their vectors, in the order of their ids: the first of all, or those behind `after`."""

    async def search(self, name: str, queries: Sequence[VectorQuery]) -> list[Answer]:
        """Answer a whole micro-batch: exactly `limit` results each, unless fewer points pass."""

    async def sample(self, name: str, limit: int) -> list[StoredPoint]:
        """Points drawn at random, with their vectors and without their payloads."""

    async def facets(self, name: str, queries: Sequence[FacetQuery]) -> list[list[FacetValue]]:
        """Exact counts, the largest first. Raises Invalid for a field without an index that counts."""

    async def ordered(self, name: str, query: OrderQuery) -> list[StoredPoint]:
        """In the order asked for, without vectors. Raises Invalid for a field without an index that orders."""

    async def optimize(self, name: str) -> None:
        """Build what makes searches fast after large changes; may take long, must not block searches for long."""

    async def ping(self) -> None:
        """Raises StoreAway when the store cannot be used."""

    async def close(self) -> None: ...
