"""GET /metrics: what this process counts, and what Redis tells at that moment."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import partial

import msgspec
from anyio import to_thread
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from api.health import asked
from api.lanes import LaneView
from api.metrics import Metrics
from api.state import State
from shared.fleet import WorkerInfo
from shared.metrics import Joined, exposition
from shared.vitals import Memory, memory_of, unread_s

LANE_GAUGES: dict[str, tuple[str, Callable[[LaneView], float]]] = {
    "clipline_lane_depth": ("Jobs that wait.", lambda lane: lane.depth),
    "clipline_lane_running": ("Jobs that run.", lambda lane: lane.running),
    "clipline_lane_oldest_seconds": ("Age of the oldest waiting job.", lambda lane: lane.oldest_age_s or 0.0),
    "clipline_lane_max_depth": ("Jobs that the lane takes.", lambda lane: lane.max_depth),
    "clipline_lane_paused": ("Whether an operator paused the lane.", lambda lane: lane.paused),
}


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What Redis told at one scrape; None for what it did not answer in time."""

    lanes: list[LaneView] | None
    workers: list[WorkerInfo] | None
    models: list[str] | None
    memory: Memory | None
    events_lag_s: float | None
    websockets: int


class Gauges(Collector):
    """As metrics; what is not known is left out."""

    def __init__(self, told: Told) -> None:
        self.told = told

    def collect(self) -> Iterable[Metric]:
        told = self.told
        yield _gauge("clipline_redis_up", "Whether Redis answers.", float(told.lanes is not None))
        yield _gauge("clipline_websockets", "Open websockets of this process.", told.websockets)
        if told.lanes is not None:
            yield from _lanes(told.lanes)
        if told.workers is not None:
            yield _gauge("clipline_workers", "Live workers.", len(told.workers))
        if told.workers is not None and told.models is not None:
            yield _models(told.models, told.workers)
        if told.memory is not None:
            yield from _memory(told.memory)
        if told.events_lag_s is not None:
            lag = "Age of the oldest event that this process has not passed on."
            yield _gauge("clipline_events_lag_seconds", lag, told.events_lag_s)


def exposing(metrics: Metrics) -> Callable[[Request[State]], Awaitable[Response]]:
    """The handler of /metrics; what Redis would tell is left out while it is away."""

    async def expose(request: Request[State]) -> Response:
        source = Joined(metrics.registry, Gauges(await ask(request.state)))
        # Some hundred lines of text: not on the loop that pushes results.
        text, content_type = await to_thread.run_sync(partial(exposition, source, request.headers.get("accept", "")))
        return Response(text, headers={"Content-Type": content_type, "Cache-Control": "no-store"})

    return expose


async def ask(state: State) -> Told:
    lanes, workers, models, memory, lag = await asyncio.gather(
        asked(state["lanes"].all()),
        asked(state["fleet"].live()),
        asked(state["wanted_models"].names()),
        asked(memory_of(state["queue"].redis)),
        asked(unread_s(state["queue"].redis, state["dispatcher"].position)),
    )
    websockets = state["connections"].now
    return Told(lanes=lanes, workers=workers, models=models, memory=memory, events_lag_s=lag, websockets=websockets)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _models(names: list[str], workers: list[WorkerInfo]) -> Metric:
    text = "Workers that take jobs of a model, for each that the fleet has or a collection names."
    family = GaugeMetricFamily("clipline_model_workers", text, labels=["model_name"])
    for name in names:
        family.add_metric([name], sum(one.is_ready and one.holds(name) for one in workers))
    return family


def _lanes(lanes: list[LaneView]) -> Iterable[Metric]:
    for name, (text, read) in LANE_GAUGES.items():
        family = GaugeMetricFamily(name, text, labels=["lane"])
        for lane in lanes:
            family.add_metric([lane.name], read(lane))
        yield family


def _memory(memory: Memory) -> Iterable[Metric]:
    yield _gauge("clipline_redis_memory_used_bytes", "Memory that counts towards Redis' bound.", memory.used_bytes)
    yield _gauge("clipline_redis_memory_max_bytes", "Redis' maxmemory; 0: no bound.", memory.max_bytes)
