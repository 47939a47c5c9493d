"""Finds out which of several pieces of work broke the executor that they were under way in."""

import asyncio
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor
from typing import TypeVar

T = TypeVar("T")


class Quarantine:
    """Runs suspects one by one, in an executor of their own: what breaks that has nobody else to blame.

    It is made for the first of them and closed behind the last.
    """

    def __init__(self, make: Callable[[], Executor]) -> None:
        self._make = make
        self._executor: Executor | None = None
        self._suspects = 0
        self._one_at_a_time = asyncio.Lock()

    async def run(self, work: Callable[[], T]) -> T:
        """Raises BrokenExecutor for the culprit."""
        running = asyncio.create_task(self._in_turn(work))
        # Read here too: perhaps nobody waits for it any more.
        running.add_done_callback(lambda done: done.cancelled() or done.exception())
        # A caller that is cancelled leaves it to run, and the next one must not come beside it.
        return await asyncio.shield(running)

    async def _in_turn(self, work: Callable[[], T]) -> T:
        self._suspects += 1
        try:
            async with self._one_at_a_time:
                return await asyncio.to_thread(self._run, work)
        finally:
            self._suspects -= 1
            if not self._suspects and self._executor is not None:
                self._executor.shutdown(wait=False)
                self._executor = None

    def _run(self, work: Callable[[], T]) -> T:
        self._executor = self._executor or self._make()
        try:
            return self._executor.submit(work).result()
        except BrokenExecutor:
            self._executor = None
            raise
