"""A worker and its parent for the chaos tests: `python -m tests.chaos.worker WORKER_ID RUNS_FILE`.

One that takes a dead one's place has its id with a prime.

Settings come from the environment. Every run of a job is noted in a file, which no outage of Redis can lose; lines this
short are appended as one.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path
from time import monotonic
from typing import Any

from arq.connections import ArqRedis
from arq.worker import func

from shared import logs
from shared.connection import AWAY, connect
from shared.settings import Settings, from_env
from workers.legacy import Bequeath, Legacy
from workers.parent import Parent
from workers.worker import Worker

Context = dict[Any, Any]
# Stands where a job's id would, when a worker begins to take jobs.
READY = "-"
PAUSE_S = 0.05


class Notes:
    """The file that all workers append to."""

    def __init__(self, path: Path, worker_id: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._worker_id = worker_id

    def add(self, job_id: str) -> None:
        os.write(self._file, f"{job_id} {self._worker_id} {monotonic()}\n".encode())


def searching(worker_id: str, notes: Notes) -> Any:
    """What the text of a search says: `work MS` takes so long, `hold` ends on its second run only, `poison` kills."""
    waiting = asyncio.Event()

    async def search(ctx: Context, payload: dict[str, Any], **_: Any) -> dict[str, Any]:
        notes.add(ctx["job_id"])
        what, _, argument = payload["query"]["text"].partition(" ")
        if what == "poison":
            os.kill(os.getpid(), signal.SIGKILL)
        if what == "hold" and ctx["job_try"] == 1:
            await waiting.wait()
        if what == "work":
            await asyncio.sleep(int(argument) / 1000)
        return {"by": worker_id}

    return search


async def until_there(redis: ArqRedis) -> None:
    """As `python -m workers` does before it begins."""
    while True:
        try:
            await redis.ping()
        except AWAY:
            await asyncio.sleep(PAUSE_S)
        else:
            return


async def serve(settings: Settings, worker_id: str, runs: Path, bequeath: Bequeath) -> None:
    stop, notes = asyncio.Event(), Notes(runs, worker_id)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with connect(settings) as redis, connect(settings, blocking=True) as blocking:
        worker = Worker(
            [func(searching(worker_id, notes), name="search")],
            redis=redis,
            blocking=blocking,
            settings=settings,
            worker_id=worker_id,
        )
        await until_there(redis)
        bequeath(Legacy(worker_id=worker_id))
        taking = asyncio.create_task(worker.async_run())
        stopping = asyncio.create_task(stop.wait())
        notes.add(READY)
        await asyncio.wait([taking, stopping], return_when=asyncio.FIRST_COMPLETED)
        await worker.drain()
        await worker.close()
        stopping.cancel()
        # A worker that broke by itself must be seen: its error ends this process.
        await asyncio.gather(taking, return_exceptions=stop.is_set())


def main(settings: Settings, name: str, runs: Path) -> int:
    def life(before: Legacy, bequeath: Bequeath) -> int:
        worker_id = f"{before.worker_id}'" if before.worker_id else name
        asyncio.run(serve(settings, worker_id, runs, bequeath))
        return 0

    return Parent(settings, life).run()


if __name__ == "__main__":
    given = from_env(os.environ)
    logs.configure(given)
    sys.exit(main(given, sys.argv[1], Path(sys.argv[2])))
