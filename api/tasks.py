"""Ending tasks for certain."""

import asyncio
from asyncio import Task
from collections.abc import Iterable
from typing import Any

AGAIN_S = 0.2


async def end(tasks: Iterable[Task[Any]]) -> None:
    """Cancel until all have ended; a timeout inside redis-py 5 that passes just then swallows a cancellation."""
    tasks = set(tasks)
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=AGAIN_S)
    # Seen, so that asyncio does not complain of errors that nobody asked for.
    await asyncio.gather(*tasks, return_exceptions=True)
