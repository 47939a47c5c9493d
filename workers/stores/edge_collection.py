"""One collection of the embedded store, open: a Qdrant Edge shard and what is known about it."""

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
import qdrant_edge as edge

from shared.jobs import COUNTED, ORDERED, FacetValue, Payload
from workers.stores.checks import check_indexed, sorted_values
from workers.stores.edge_dialect import facet_request, facet_value, order_request, point, request, scored, stored
from workers.stores.edge_folder import Description, read_description, write_description
from workers.stores.plan import EXACT, Plan, fell_short, plan
from workers.stores.protocol import (
    Answer,
    FacetQuery,
    OrderQuery,
    Point,
    Scored,
    StoredCollection,
    StoredPoint,
    VectorQuery,
)


class Collection:
    """An open shard and what is known about it. Not thread-safe; its process has one thread."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self.description = read_description(folder)
        self._remove_leftovers()
        self._shard = edge.EdgeShard.load(str(folder / self.description.shard))
        self.unflushed = 0
        # Ids changed since a build copied the shard; None while there is no build.
        self.changed: set[int] | None = None

    def _remove_leftovers(self) -> None:
        """Shards that a build left unfinished, or that a finished one replaced."""
        for path in self.folder.iterdir():
            if path.is_dir() and path.name != self.description.shard:
                shutil.rmtree(path)

    @property
    def shard_path(self) -> Path:
        return self.folder / self.description.shard

    @property
    def unindexed(self) -> int:
        info = self._shard.info()
        return int(info.points_count - info.indexed_vectors_count)

    def describe(self) -> StoredCollection:
        count = self._shard.count(edge.CountRequest(exact=True))
        about = self.description
        return StoredCollection(name=self.name, dim=about.dim, count=count, indexes=about.indexes, meta=about.meta)

    def set_meta(self, meta: dict[str, str]) -> None:
        self._describe_as(msgspec.structs.replace(self.description, meta=self.description.meta | meta))

    def _describe_as(self, description: Description) -> None:
        write_description(self.folder, description)
        self.description = description

    def upsert(self, points: Sequence[Point]) -> None:
        self._update([one.id for one in points], edge.UpdateOperation.upsert_points(self._points(points)))

    def _points(self, points: Sequence[Point]) -> list[edge.Point]:
        return [point(one, dim=self.description.dim) for one in points]

    def set_payloads(self, payloads: dict[int, Payload]) -> None:
        # Edge refuses the whole operation when one id is missing.
        for id_ in self.retrieve(list(payloads), vectors=False):
            self._update([id_], edge.UpdateOperation.overwrite_payload([id_], payloads[id_]))

    def delete(self, ids: Sequence[int]) -> None:
        self._update(ids, edge.UpdateOperation.delete_points(list(ids)))

    def _update(self, ids: Sequence[int], operation: edge.UpdateOperation) -> None:
        """Written to the log before it returns: from then on it survives a killed process."""
        if not ids:
            return
        if self.changed is not None:
            self.changed.update(ids)
        self.unflushed += len(ids)
        self._shard.update(operation)

    def retrieve(self, ids: Sequence[int], *, vectors: bool) -> dict[int, StoredPoint]:
        records = self._shard.retrieve(list(ids), with_payload=True, with_vector=vectors)
        return {int(one.id): stored(one, vectors=vectors) for one in records}

    def search(self, queries: Sequence[VectorQuery]) -> list[Answer]:
        count = self._shard.info().points_count
        plans = [plan(query, count=count) for query in queries]
        answers = self._run(queries, plans)
        short = [i for i, query in enumerate(queries) if fell_short(query, plans[i], len(answers[i]))]
        again = self._run([queries[i] for i in short], [EXACT] * len(short))
        for i, answer in zip(short, again, strict=True):
            answers[i], plans[i] = answer, EXACT
        return [Answer(hits=hits, plan=plans[i].name, rounds=2 if i in short else 1) for i, hits in enumerate(answers)]

    def _run(self, queries: Sequence[VectorQuery], plans: Sequence[Plan]) -> list[list[Scored]]:
        if not queries:
            return []
        requests = [
            request(query, chosen, dim=self.description.dim) for query, chosen in zip(queries, plans, strict=True)
        ]
        found = self._shard.query_batch(edge.QueryBatchRequest(requests))
        return [[scored(hit) for hit in hits] for hits in found]

    def facets(self, queries: Sequence[FacetQuery]) -> list[list[FacetValue]]:
        for query in queries:
            check_indexed(query.field, self.description.indexes, types=COUNTED)
        return [sorted_values(map(facet_value, self._shard.facet(facet_request(query)))) for query in queries]

    def ordered(self, query: OrderQuery) -> list[StoredPoint]:
        check_indexed(query.order, self.description.indexes, types=ORDERED)
        records, _ = self._shard.scroll(order_request(query))
        # A list in the field would bring its point twice.
        return list({int(one.id): stored(one, vectors=False) for one in records}.values())

    def flush(self) -> None:
        """Write segments out, so that opening after a crash has little of the log to replay."""
        self._shard.flush()
        self.unflushed = 0

    def close(self) -> None:
        self._shard.close()

    def copy_changes(self, ids: Iterable[int], target: edge.EdgeShard) -> None:
        """Make `target` hold what this shard holds under `ids`."""
        wanted = list(ids)
        points = self.retrieve(wanted, vectors=True).values()
        gone = [id_ for id_ in wanted if id_ not in {point.id for point in points}]
        if points:
            kept = [Point(id=one.id, vector=one.vector or b"", payload=one.payload) for one in points]
            target.update(edge.UpdateOperation.upsert_points(self._points(kept)))
        if gone:
            target.update(edge.UpdateOperation.delete_points(list(gone)))

    def switch(self, shard: str, opened: edge.EdgeShard) -> None:
        """Continue on another shard that holds the same points; the old one's folder goes."""
        old_shard, old_path = self._shard, self.shard_path
        opened.flush()
        self._describe_as(msgspec.structs.replace(self.description, shard=shard))
        self._shard, self.unflushed = opened, 0
        old_shard.close()
        shutil.rmtree(old_path)
