"""Probes; open to everybody, because they tell no tenant's business."""

import asyncio
import logging
from collections.abc import Awaitable, Sequence
from typing import TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api.answers import answer
from api.state import State
from shared.errors import CliplineError
from shared.fleet import WorkerInfo
from shared.vitals import memory_of

logger = logging.getLogger(__name__)

PROBE_S = 2.0

Found = TypeVar("Found")


class Alive(msgspec.Struct, frozen=True):
    alive: bool = True


class Ready(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`redis` answers and has `memory` left, `queue` has room in all lanes that a worker serves, `workers` beat their
    hearts. `missing` are models of the fleet that none of them holds: their jobs wait, the others' do not.
    """

    ready: bool
    redis: bool
    memory: bool
    queue: bool
    workers: int
    missing: list[str] = msgspec.field(default_factory=list)


async def alive(request: Request[State]) -> Response:
    """The event loop turns; nothing else is asked, so that a lost Redis restarts nobody."""
    return answer(Alive())


async def readiness(state: State) -> Ready:
    lanes, workers, memory = await asyncio.gather(
        asked(state["lanes"].all()), asked(state["fleet"].live()), asked(memory_of(state["queue"].redis))
    )
    reached = lanes is not None and workers is not None and memory is not None
    has_memory = memory is not None and memory.has_room
    missing = missing_models(state["settings"].model_names, workers or [])
    # A lane that nobody serves may fill up: whoever submits to it is told, and the others are served meanwhile.
    room = lanes is not None and all(lane.has_room for lane in lanes if lane.model_name not in missing)
    count = len(workers or [])
    if memory is not None and not memory.has_room:
        logger.warning("not ready: Redis uses %d of %d bytes", memory.used_bytes, memory.max_bytes)
    ready = reached and has_memory and room and count > 0
    return Ready(ready=ready, redis=reached, memory=has_memory, queue=room, workers=count, missing=missing)


def missing_models(names: Sequence[str], workers: Sequence[WorkerInfo]) -> list[str]:
    """Those that nobody holds while there are workers; without any, nothing of a model is to be said."""
    return [name for name in names if workers and not any(one.holds(name) for one in workers)]


async def ready(request: Request[State]) -> Response:
    found = await readiness(request.state)
    return answer(found, status=200 if found.ready else 503, headers={"Cache-Control": "no-store"})


async def asked(question: Awaitable[Found]) -> Found | None:
    """The answer, or None when Redis has none in time."""
    try:
        async with asyncio.timeout(PROBE_S):
            return await question
    except CliplineError as error:
        logger.warning("not ready: %s", error)
    except TimeoutError:
        logger.warning("not ready: no answer in %g s", PROBE_S)
    return None
