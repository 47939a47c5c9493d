"""One collection of the embedded store, open: a Qdrant Edge shard and what is known about it."""

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from time import process_time

import msgspec
import qdrant_edge as edge

from shared.jobs import COUNTED, ORDERED, FacetValue, Payload
from workers.stores.checks import check_indexed, sorted_values
from workers.stores.edge_dialect import (
    facet_request,
    facet_value,
    order_request,
    point,
    request,
    sample_request,
    scored,
    stored,
)
from workers.stores.edge_folder import FULL, Description, opened, read_description, write_description
from workers.stores.edge_passing import Narrowed, Passing
from workers.stores.edge_scan import scan_and_drop
from workers.stores.plan import Ask, Situation
from workers.stores.plan_payloads import filled, lacking
from workers.stores.planner import Planner
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
        self._shard = opened(self.shard_path, self.description)
        self._passing = Passing(self._shard)
        self._planner = _planner()
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
    def count(self) -> int:
        return self._passing.count

    @property
    def unindexed(self) -> int:
        info = self._shard.info()
        # The engine counts scan copies as indexed with the vectors that they are of.
        return int(info.points_count - info.indexed_vectors_count // (2 if self.description.scan_copies else 1))

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
        return [point(one, self.description) for one in points]

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
        try:
            self._shard.update(operation)
        finally:
            self._passing.changed()

    def retrieve(self, ids: Sequence[int], *, vectors: bool) -> dict[int, StoredPoint]:
        records = self._shard.retrieve(list(ids), with_payload=True, with_vector=[FULL] if vectors else False)
        return {int(one.id): stored(one, vectors=vectors) for one in records}

    def scroll(self, start: int, *, limit: int) -> list[StoredPoint]:
        records, _ = self._shard.scroll(edge.ScrollRequest(offset=start, limit=limit, with_payload=True))
        return [stored(one, vectors=False) for one in records]

    def search(self, queries: Sequence[VectorQuery]) -> list[Answer]:
        narrowed = [self._passing.of(query) for query in queries]
        situations = [self._situation(query, one) for query, one in zip(queries, narrowed, strict=True)]
        rounds = self._planner.rounds(queries, situations)
        try:
            asks = next(rounds)
            while True:
                asks = rounds.send(self.ask(asks, narrowed))
        except StopIteration as done:
            return self._with_payloads(queries, done.value)

    @property
    def has_trials(self) -> bool:
        return self._planner.waiting

    def try_one(self) -> None:
        """One question to the engine that teaches the planner, and that nobody waits for."""
        later = self._planner.later
        try:
            [hits] = self.ask([later.ask()])
        except Exception:
            later.give_up()
            raise
        later.take(hits)

    def _situation(self, query: VectorQuery, narrowed: Narrowed) -> Situation:
        about = self.description
        return Situation(self.count, about.dim, narrowed.passing, len(query.exclude_ids), about.scan_copies)

    def ask(self, asks: Sequence[Ask], narrowed: Sequence[Narrowed] = ()) -> list[list[Scored]]:
        """Each by the plan that it names; those of one call are of one kind. `narrowed`: of the call's queries."""
        dim = self.description.dim
        if any(ask.plan.fetched is not None for ask in asks):
            return scan_and_drop(self._shard, asks, dim=dim)
        wheres = [None if ask.place is None else narrowed[ask.place].where for ask in asks]
        requests = [
            request(ask.query, ask.plan, dim=dim, narrowed=where) for ask, where in zip(asks, wheres, strict=True)
        ]
        found = self._shard.query_batch(edge.QueryBatchRequest(requests))
        return [[scored(hit) for hit in hits] for hits in found]

    def _with_payloads(self, queries: Sequence[VectorQuery], answers: list[Answer]) -> list[Answer]:
        wanted = lacking(queries, answers)
        return filled(queries, answers, self.retrieve(wanted, vectors=False)) if wanted else answers

    def sample(self, limit: int) -> list[StoredPoint]:
        return [stored(one, vectors=True) for one in self._shard.query(sample_request(limit))]

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
        # What was learned without a graph, or with the old one, says nothing about the new one.
        self._shard, self._planner, self.unflushed = opened, _planner(), 0
        self._passing = Passing(opened)
        old_shard.close()
        shutil.rmtree(old_path)


def _planner() -> Planner:
    """This process does nothing but search and write, one at a time: its CPU time is what a search costs, whatever
    else the machine does."""
    return Planner(clock=process_time)
