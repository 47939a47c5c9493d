"""Looks at lanes and workers now and then: what a stream of events cannot tell, because nothing happens."""

from api.lanes import Lanes, LaneView
from api.tally import Row, Sums, Tally
from shared import keys
from shared.fleet import Fleet, WorkerInfo
from shared.statistics import FLEET
from shared.steps import RESOLUTIONS, step_at


class Sampler:
    """Keeps the last look at each worker, whose counters only grow."""

    def __init__(self, lanes: Lanes, fleet: Fleet) -> None:
        self.lanes = lanes
        self.fleet = fleet
        self._before: dict[str, WorkerInfo] = {}
        self._at_ms = 0

    async def look(self, at_ms: int) -> tuple[list[Row], list[Row]]:
        """Sums and highs to be kept. Raises QueueAway."""
        workers = await self.fleet.live()
        highs = [row for lane in await self.lanes.all() for row in _high(lane.name, at_ms, _of_lane(lane))]
        highs += _high(FLEET, at_ms, {"workers": len(workers), "memory": sum(one.memory_bytes for one in workers)})
        tally = Tally()
        for worker in workers:
            if (before := self._before.get(worker.id)) is not None:
                tally.count(FLEET, at_ms, _grown(before, worker, span_ms=at_ms - self._at_ms))
        self._before, self._at_ms = {worker.id: worker for worker in workers}, at_ms
        return tally.sums, highs


def _of_lane(lane: LaneView) -> Sums:
    return {"depth": lane.depth, "running": lane.running, "age_ms": int((lane.oldest_age_s or 0.0) * 1000)}


def _high(what: str, at_ms: int, values: Sums) -> list[Row]:
    return [
        (keys.counted(what, one.step_s, step_at(at_ms, one.step_s)), one.kept_s, values) for one in RESOLUTIONS.values()
    ]


def _grown(before: WorkerInfo, now: WorkerInfo, *, span_ms: int) -> Sums:
    """`up_ms` is what a device could have been busy for."""
    grown = {
        "busy_ms": int((now.busy_s - before.busy_s) * 1000),
        "batches": now.batches - before.batches,
        "items": now.items - before.items,
        "hits": now.cache_hits - before.cache_hits,
        "misses": now.cache_misses - before.cache_misses,
        "up_ms": span_ms,
    }
    return {name: count for name, count in grown.items() if count > 0}
