"""Probes and metrics; open to everybody, because they tell no tenant's business."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api.answers import answer
from api.lanes import LaneView
from api.metrics import CONTENT_TYPE, Metric, Metrics, Sample, gauge, render
from api.state import State
from shared.errors import CliplineError
from shared.fleet import WorkerInfo

logger = logging.getLogger(__name__)

PROBE_S = 2.0
LAG_TICK_S = 0.1
LAG_KEPT = 100

Found = TypeVar("Found")


class Alive(msgspec.Struct, frozen=True):
    alive: bool = True


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """`redis` answers, `queue` has room in both lanes, `workers` beat their hearts."""

    ready: bool
    redis: bool
    queue: bool
    workers: int


async def alive(request: Request[State]) -> Response:
    """The event loop turns; nothing else is asked, so that a lost Redis restarts nobody."""
    return answer(Alive())


async def readiness(state: State) -> Ready:
    lanes, workers = await asyncio.gather(_asked(state["lanes"].all()), _asked(state["fleet"].live()))
    room = lanes is not None and all(lane.has_room for lane in lanes)
    reached = lanes is not None and workers is not None
    count = len(workers or [])
    return Ready(ready=reached and room and count > 0, redis=reached, queue=room, workers=count)


async def ready(request: Request[State]) -> Response:
    found = await readiness(request.state)
    return answer(found, status=200 if found.ready else 503, headers={"Cache-Control": "no-store"})


async def _asked(question: Awaitable[Found]) -> Found | None:
    try:
        async with asyncio.timeout(PROBE_S):
            return await question
    except CliplineError as error:
        logger.warning("not ready: %s", error)
    except TimeoutError:
        logger.warning("not ready: no answer in %g s", PROBE_S)
    return None


def exposing(metrics: Metrics) -> Callable[[Request[State]], Awaitable[Response]]:
    """The handler of /metrics; what Redis would tell is left out while it is away."""

    async def expose(request: Request[State]) -> Response:
        state = request.state
        lanes, workers = await asyncio.gather(_asked(state["lanes"].all()), _asked(state["fleet"].live()))
        shown = [
            *metrics.counters(),
            gauge("clipline_websockets", "Open websockets.", state["connections"].now),
            gauge("clipline_redis_up", "Whether Redis answers.", float(lanes is not None)),
            *_lane_metrics(lanes),
            *_worker_metrics(workers),
        ]
        return Response(render(shown), media_type=CONTENT_TYPE)

    return expose


def _lane_metrics(lanes: list[LaneView] | None) -> list[Metric]:
    if lanes is None:
        return []
    values: dict[str, tuple[str, Callable[[LaneView], float]]] = {
        "clipline_lane_depth": ("Jobs that wait.", lambda lane: lane.depth),
        "clipline_lane_running": ("Jobs that run.", lambda lane: lane.running),
        "clipline_lane_oldest_seconds": ("Age of the oldest waiting job.", lambda lane: lane.oldest_age_s or 0.0),
    }
    return [
        Metric(
            name=name, help=text, type="gauge", samples=[Sample((("lane", lane.name),), read(lane)) for lane in lanes]
        )
        for name, (text, read) in values.items()
    ]


def _worker_metrics(workers: list[WorkerInfo] | None) -> list[Metric]:
    if workers is None:
        return []
    return [gauge("clipline_workers", "Live workers.", len(workers))]


async def watch_loop(metrics: Metrics) -> None:
    """Measure how late the event loop wakes us: the longest of the last LAG_KEPT ticks."""
    lags: list[float] = []
    while True:
        before = monotonic()
        await asyncio.sleep(LAG_TICK_S)
        lags = [*lags[-LAG_KEPT:], max(0.0, monotonic() - before - LAG_TICK_S)]
        metrics.loop_lag_s = max(lags)
