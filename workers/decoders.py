"""Who decodes the pictures of an ingest: threads where two do, else processes.

Sixteen decoding threads contend with the worker's event loop for the interpreter: on a machine with 16 CPUs and a GPU
an ingest held the loop up for 94 ms (p99), and reached a quarter of what the same CPUs give as processes
(bench/RESULTS.md). A process also keeps a decoder's crash out of the worker.
"""

import asyncio
import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from typing import ParamSpec, TypeVar

from shared.errors import BadPicture
from workers.executors import BoundedExecutor, decoding_executor

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

# Few threads contend little, and processes take another 70 MB, and 37 each.
FEW = 2
# Below what answers searches, on whatever CPU that is.
NICENESS = 10
# What every decoder needs is imported once, by the process that they are forked from.
SHARED = ["workers.ingest.prepare"]
# So long a new decoder has its first task, so that the next task starts another one.
START_S = 0.2
# What a machine without semaphores, memory or process ids for a pool raises.
UNSTARTED = (OSError, NotImplementedError, BrokenExecutor)


def decoders(count: int) -> BoundedExecutor:
    """At most `count` at a time. Blocks until they have started, a few seconds."""
    if count <= FEW:
        return decoding_executor(count)
    try:
        return BoundedExecutor(lambda: _processes(count), in_flight=2 * count, alone=lambda: _pool(1))
    except UNSTARTED as error:
        logger.warning(
            "decoding in threads, which slows searches down: no processes: %s", str(error) or type(error).__name__
        )
        return decoding_executor(count)


class Decoders:
    """Those of one worker: they start while it loads its model and takes its first searches."""

    def __init__(self, count: int) -> None:
        self.in_flight = 2 * count
        self._starting = asyncio.create_task(asyncio.to_thread(decoders, count))

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """As `BoundedExecutor.run`, when they have started."""
        # A caller that is cancelled leaves them to start.
        pool = await asyncio.shield(self._starting)
        return await pool.run(work, *args, **kwargs)

    async def close(self) -> None:
        await asyncio.to_thread((await self._starting).close)


async def decoded(pool: BoundedExecutor | Decoders, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `work` makes of one picture. Raises BadPicture for one that its decoder dies of."""
    try:
        return await pool.run(work, *args, **kwargs)
    except BrokenExecutor as error:
        raise BadPicture("its decoder crashed, or took too much memory") from error


def _processes(count: int) -> ProcessPoolExecutor:
    pool = _pool(count)
    # A pool starts a process when a task finds none idle; from an event loop that would block it.
    started: list[Future[None]] = [pool.submit(time.sleep, START_S) for _ in range(count)]
    for one in started:
        one.result()
    return pool


def _pool(count: int) -> ProcessPoolExecutor:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(SHARED)
    return ProcessPoolExecutor(count, mp_context=context, initializer=_begin)


def _begin() -> None:
    # Ctrl-C reaches the whole group; the worker drains first and then closes its pool.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICENESS)
    import torch

    torch.set_num_threads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A killed worker leaves no decoders behind: the others hold their queue open."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
