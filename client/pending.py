"""A search whose answer is still to come."""

import asyncio
from asyncio import Future
from collections.abc import Callable
from uuid import uuid4

import msgspec

from client import calls
from client.frames import JobFrame, JobResult
from client.problems import why
from shared.errors import CliplineError
from shared.jobs import Search, SearchResult

Hear = Callable[[JobFrame], None]


class Pending:
    """A search whose answer is still to come; `job` is known once the server has taken it, `said` is the welcome
    after which it was told. With the same `key` each time that it is sent, the server makes one job of it.
    """

    def __init__(self, search: Search, slot: str | None, hear: Hear | None) -> None:
        self.body = calls.wire(search) | ({"slot": slot} if slot else {})
        self.slot = slot
        self.hear = hear
        self.id = ""
        self.key = uuid4().hex
        self.job: str | None = None
        self.said = 0
        self.asked_again = False
        self.ended: Future[JobResult] = asyncio.get_running_loop().create_future()

    @property
    def is_open(self) -> bool:
        """Also when whoever waited left: that cancels the future."""
        return not self.ended.done() or self.ended.cancelled()

    def again(self) -> None:
        """As if it had never been asked."""
        self.job = None
        if self.ended.done():
            self.ended = asyncio.get_running_loop().create_future()

    def fail(self, error: CliplineError) -> None:
        if not self.ended.done():
            self.ended.set_exception(error)
            # Marks it as seen: whoever asked may have left.
            self.ended.exception()


def result_of(frame: JobResult) -> SearchResult:
    """Raises CliplineError with why there is none."""
    error = why(frame.state, frame.error)
    if error is not None:
        raise error
    return msgspec.convert(frame.result or {}, SearchResult)
