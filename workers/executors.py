"""Long-lived, bounded executors for work that would block an event loop, and the CPUs that they may use."""

import asyncio
import logging
import math
import os
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Literal, ParamSpec, TypeVar

from workers.quarantine import Quarantine

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

CGROUP_CPU_MAX = Path("/sys/fs/cgroup/cpu.max")
# What computes for long stretches steps back: event loops and Redis need a CPU for an instant, often. On Linux a
# niceness is a thread's own, and is handed down to those that it starts (nice(2), "C library/kernel differences").
COMPUTING_NICENESS = 5
FEW = 2


def cpus_granted() -> int:
    """CPUs that this process may use: its affinity, and a container's quota where it is smaller."""
    return max(1, min(len(os.sched_getaffinity(0)), _quota_cpus(CGROUP_CPU_MAX)))


def computing_threads(wanted: int) -> int:
    """How many a model on the CPU computes with. 0: the CPUs granted, less one for the event loop where there are more
    than 2."""
    cpus = cpus_granted()
    return wanted or (cpus - 1 if cpus > 2 else cpus)


def threads_alone(kind: Literal["text", "image"], replicas: int, parts: int = 1) -> int:
    """Of each of so many parts that leave at once: what has nothing beside it gets the CPUs of the replicas that would
    have nothing to do, but for a text on two. There one more thread saves a searcher 3 of 21 ms, and as it waits by
    spinning takes 5 % from four."""
    return 1 if kind == "text" and replicas <= FEW else max(1, replicas // parts)


def _quota_cpus(cpu_max: Path) -> int:
    """Read "QUOTA PERIOD" in microseconds, or "max PERIOD" (Linux cgroup v2 documentation, cpu.max)."""
    try:
        quota, period = cpu_max.read_text().split()
        return math.ceil(int(quota) / int(period))
    except (OSError, ValueError):
        return 2**31


class BoundedExecutor:
    """Runs blocking calls elsewhere, at most `in_flight` at a time; further callers wait their turn.

    The bound holds for work whose caller was cancelled as well: it counts until it has really ended. `alone` makes what
    runs one piece of work at a time.
    """

    def __init__(
        self, make: Callable[[], Executor], *, in_flight: int, alone: Callable[[], Executor] | None = None
    ) -> None:
        self.in_flight = in_flight
        self._make = make
        self._executor = make()
        self._slots = asyncio.Semaphore(in_flight)
        self._replacing, self._quarantine = asyncio.Lock(), Quarantine(alone or make)

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work(*args)`. A broken executor is replaced, and the work tried once more, alone: then BrokenExecutor
        rises for what breaks executors, and for nothing that was only beside it.
        """
        executor = self._executor
        try:
            return await self._run_once(work, *args, **kwargs)
        except BrokenExecutor:
            await self._replace(executor)
        return await self._quarantine.run(partial(work, *args, **kwargs))

    def close(self) -> None:
        """Drop what has not started; blocks until what has is done."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    async def _run_once(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        await self._slots.acquire()
        try:
            future = self._executor.submit(work, *args, **kwargs)
        except BaseException:
            self._slots.release()
            raise
        future.add_done_callback(_releaser(self._slots, asyncio.get_running_loop()))
        return await asyncio.wrap_future(future)

    async def _replace(self, broken: Executor) -> None:
        async with self._replacing:
            if self._executor is not broken:  # another caller saw the same break first
                return
            logger.warning("an executor broke and is replaced: %s", type(broken).__name__)
            broken.shutdown(wait=False)
            # Processes take a moment to start.
            self._executor = await asyncio.to_thread(self._make)


def decoding_executor(threads: int | None = None) -> BoundedExecutor:
    """Threads for decoding, resizing and thumbnails: their libraries release the GIL. One for each CPU granted."""
    count = threads or cpus_granted()
    step_back = partial(os.nice, COMPUTING_NICENESS)
    return BoundedExecutor(
        lambda: ThreadPoolExecutor(count, thread_name_prefix="decode", initializer=step_back), in_flight=2 * count
    )


def fitting_executor() -> BoundedExecutor:
    """Threads for classifiers, which take milliseconds; apart, so that none waits for a batch of pictures."""
    return BoundedExecutor(lambda: ThreadPoolExecutor(2, thread_name_prefix="fit"), in_flight=2)


def _releaser(slots: asyncio.Semaphore, loop: asyncio.AbstractEventLoop) -> Callable[[Future[T]], None]:
    def release(_: Future[T]) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(slots.release)

    return release
