"""A worker for the push benchmark: a search answers at once, with the moment at which its result was ready."""

import asyncio
import os
from time import monotonic
from typing import Any

import uvloop
from arq.worker import func

from shared.connection import connect
from shared.settings import from_env
from workers.worker import Worker

FILLER = {"label": "a picture of something", "tags": ["one", "two", "three"], "group": "animals", "subgroup": "birds"}


async def search(ctx: dict[Any, Any], payload: Any, **_: Any) -> Any:
    """As large as the answer to a usual search: `limit` hits with a payload."""
    hits = [{"id": number, "score": 0.5, "payload": FILLER} for number in range(payload.get("limit", 24))]
    return {"took": {}, "model": "bench", "exhausted": False, "hits": hits, "ready": monotonic()}


async def main() -> None:
    settings = from_env(os.environ)
    async with connect(settings) as redis, connect(settings, blocking=True) as blocking:
        worker = Worker(
            [func(search, name="search")], redis=redis, blocking=blocking, settings=settings, worker_id="bench-push"
        )
        await worker.async_run()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
