"""One search whose steps can be followed: an awaitable result, and an async iterator of what happens."""

import asyncio
from asyncio import Task
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from client.feed import Feed
from client.frames import JobFrame
from shared.errors import Cancelled, CliplineError
from shared.jobs import SearchResult

Search = Callable[[Callable[[JobFrame], None]], Coroutine[Any, Any, SearchResult]]


class Run:
    """Begins at once; needs a running event loop."""

    def __init__(self, search: Search) -> None:
        self._feed = Feed()
        self._task = asyncio.create_task(search(self._feed.put))
        self._task.add_done_callback(self._done)

    def __aiter__(self) -> AsyncIterator[JobFrame]:
        """Events, then the result; raises CliplineError when the search ends without one."""
        return self._feed.frames()

    async def result(self) -> SearchResult:
        """Raises CliplineError, Cancelled after `cancel`."""
        await asyncio.wait([self._task])
        if self._task.cancelled():
            raise Cancelled("the search was taken back")
        return self._task.result()

    def cancel(self) -> None:
        """Take the search back: its job is cancelled."""
        self._task.cancel()

    def _done(self, task: Task[SearchResult]) -> None:
        error = Cancelled("the search was taken back") if task.cancelled() else task.exception()
        if error is not None:
            self._feed.fail(error if isinstance(error, CliplineError) else CliplineError(str(error)))
