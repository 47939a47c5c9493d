"""Searches and jobs over one websocket: none is lost when the connection is."""

import asyncio
from asyncio import Task
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from client import frames
from client.address import Address
from client.backoff import Backoff
from client.changes import Changes
from client.connection import TOO_LARGE, Connection, Handlers
from client.feed import Feeds
from client.frames import JobFrame, JobResult, SessionChanged
from client.patience import Patience
from client.pending import Hear, Pending, result_of
from client.problems import Closed, NoAnswer, Unreachable, error_of
from shared.errors import CliplineError, SessionNotFound, Superseded, TooLarge, TooManyRequests, Unavailable
from shared.jobs import Search, SearchResult

MAX_PENDING = 64
REPLAYED = "replayed"


class Live:
    """Connects when it is first needed; `patience_s` bounds how long a refused search is sent again."""

    def __init__(
        self,
        address: Address,
        *,
        key: str | None,
        patience_s: float,
        backoff: Callable[[], Backoff] = Backoff,
        session: str | None = None,
    ) -> None:
        handlers = Handlers(frame=self._hear, welcome=self._resume, lost=self._lost)
        self._connection = Connection(address, key=key, handlers=handlers, backoff=backoff(), session=session)
        self._address = address
        self._patience_s = patience_s
        self._backoff = backoff
        self._running: Task[None] | None = None
        self._chores: set[Task[None]] = set()
        self._pending: dict[str, Pending] = {}
        self._feeds = Feeds()
        self._changes = Changes()
        self._left: deque[str] = deque(maxlen=MAX_PENDING)
        self._replayed = asyncio.Event()
        self._count = 0

    @property
    def is_open(self) -> bool:
        return self._connection.is_open

    @property
    def session(self) -> str | None:
        """The websocket's session, once it has been opened: with the first search."""
        return self._connection.session

    async def close(self) -> None:
        """What is still open fails."""
        self._fail_all(Closed())
        tasks = [*self._chores, *([self._running] if self._running else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._running = None

    async def search(
        self, search: Search, *, slot: str | None, timeout_s: float, hear: Hear | None = None
    ) -> SearchResult:
        """Raises CliplineError: the server's, Superseded, NoAnswer, Unreachable, Closed."""
        self._supersede(slot)
        if len(self._pending) >= MAX_PENDING:
            raise TooManyRequests(f"{MAX_PENDING} searches are open")
        pending = Pending(search, slot, hear)
        self._enter(pending)
        self._start()
        try:
            async with asyncio.timeout(timeout_s):
                return await self._answer(pending)
        except TimeoutError as error:
            raise self._too_late(timeout_s) from error
        finally:
            self._leave(pending)

    async def follow(self, job: str) -> AsyncIterator[JobFrame]:
        """The job's state now, what happens to it, then its result."""
        feed = self._feeds.open(job)
        self._start()
        try:
            await self._connection.say("watch", job=job)
            async for frame in feed.frames():
                yield frame
        finally:
            self._feeds.close(job, feed)

    def changes(self) -> AsyncIterator[SessionChanged | None]:
        """What becomes of the marks of the websocket's session, also through others of its team; None: read it now."""
        self._start()
        return self._changes.listen(known=self.is_open)

    def _start(self) -> None:
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run(), name="clipline-live")

    async def _run(self) -> None:
        try:
            await self._connection.run()
        except CliplineError as error:
            self._fail_all(error)

    async def _answer(self, pending: Pending) -> SearchResult:
        patience, renewed = Patience(self._patience_s, self._backoff()), False
        await self._ask(pending)
        while True:
            try:
                return result_of(await pending.ended)
            except SessionNotFound:
                if renewed:
                    raise
                renewed = True
                self._rename(pending)
                await self._connection.renew()
            except (TooManyRequests, Unavailable) as error:
                if pending.job is not None:
                    raise
                await patience.wait(error)
                self._rename(pending)
                await self._ask(pending)

    def _enter(self, pending: Pending) -> None:
        """Every asking has an id of its own: an answer to an earlier one cannot be mistaken for this one's."""
        self._count += 1
        pending.id = f"c{self._count}"
        self._pending[pending.id] = pending

    def _rename(self, pending: Pending) -> None:
        self._pending.pop(pending.id, None)
        pending.again()
        self._enter(pending)

    async def _ask(self, pending: Pending) -> None:
        pending.said = self._connection.welcomes
        await self._connection.say("search", id=pending.id, key=pending.key, search=pending.body)

    def _leave(self, pending: Pending) -> None:
        self._pending.pop(pending.id, None)
        if not pending.is_open:
            return
        if pending.job is not None:
            self._do(self._connection.say("cancel", job=pending.job))
        else:
            # The server may be about to say which job it is.
            self._left.append(pending.id)

    def _do(self, chore: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(chore)
        self._chores.add(task)
        task.add_done_callback(self._chores.discard)

    def _too_late(self, timeout_s: float) -> CliplineError:
        if self._connection.is_open:
            return NoAnswer(f"no answer within {timeout_s:g} s")
        return Unreachable(f"{self._address} does not answer")

    def _supersede(self, slot: str | None) -> None:
        for pending in list(self._pending.values()):
            if slot is not None and pending.slot == slot:
                # The server knows by itself: the newer search takes the slot there too.
                self._pending.pop(pending.id, None)
                pending.fail(Superseded())

    async def _resume(self, *, recovered: bool) -> None:
        if not recovered:
            self._changes.put(None)
        for job in self._feeds.jobs:
            await self._connection.say("watch", job=job)
        if recovered:
            # Its answer comes after the replay, which tells of all that was accepted.
            self._replayed.clear()
            await self._connection.say("ping", id=REPLAYED)
            await self._replayed.wait()
        for pending in list(self._pending.values()):
            if self._is_unheard(pending, recovered=recovered):
                if pending.said:
                    pending.asked_again = True
                    self._rename(pending)
                await self._ask(pending)

    def _is_unheard(self, pending: Pending, *, recovered: bool) -> bool:
        """Not told over this connection, and not known from before; one that was refused waits for its time."""
        # Of one that was asked again the replay may have told before, under its first name, which was not known then.
        known = bool(recovered and pending.job and not pending.asked_again)
        told = pending.said == self._connection.welcomes
        return not (known or told or pending.ended.done()) and pending.id in self._pending

    def _hear(self, frame: frames.ServerFrame) -> None:
        match frame:
            case frames.Accepted(id=name, job=job):
                if pending := self._pending.get(name):
                    pending.job = job
                elif name in self._left:
                    self._left.remove(name)
                    self._do(self._connection.say("cancel", job=job))
            case frames.JobEvent() | frames.JobResult():
                self._told(frame)
            case frames.SessionChanged():
                self._changes.put(frame)
            case frames.Refused():
                self._refused(frame)
            case frames.Pong(id=name) if name == REPLAYED:
                self._replayed.set()
            case _:
                return

    def _told(self, frame: JobFrame) -> None:
        self._feeds.put(frame)
        pending = self._pending.get(frame.id or "")
        if pending is None:
            return
        pending.job = frame.job
        if pending.hear is not None:
            pending.hear(frame)
        if isinstance(frame, JobResult) and not pending.ended.done():
            pending.ended.set_result(frame)

    def _refused(self, frame: frames.Refused) -> None:
        error = error_of(frame.error)
        self._feeds.fail(frame.job or "", error)
        if pending := self._pending.get(frame.id or ""):
            pending.fail(error)

    def _lost(self, code: int | None) -> None:
        if code == TOO_LARGE:
            # Sent again, it would only close the next connection too.
            for pending in self._pending.values():
                if pending.job is None:
                    pending.fail(TooLarge("the server takes 8 MiB at once"))

    def _fail_all(self, error: CliplineError) -> None:
        for pending in list(self._pending.values()):
            pending.fail(error)
        self._changes.fail(error)
        self._feeds.fail_all(error)
