"""What becomes of a session's marks, for whoever listens: change by change, and when to read the session instead."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from client.frames import SessionChanged
from shared.errors import CliplineError

# So many changes wait for whoever reads them; of more, one word is left: read the session.
MOST = 256


class Changes:
    """Filled by the connection, read by any number of listeners."""

    def __init__(self) -> None:
        self._listeners: set[_Listener] = set()

    def put(self, change: SessionChanged | None) -> None:
        """None: what happened meanwhile is not known."""
        for listener in self._listeners:
            listener.put(change)

    def fail(self, error: CliplineError) -> None:
        for listener in self._listeners:
            listener.fail(error)

    async def listen(self, *, known: bool) -> AsyncIterator[SessionChanged | None]:
        """None first, at once when the session is `known` already. Raises CliplineError when the connection ends."""
        listener = _Listener()
        self._listeners.add(listener)
        if known:
            listener.put(None)
        try:
            while True:
                yield await listener.next()
        finally:
            self._listeners.discard(listener)


class _Listener:
    def __init__(self) -> None:
        self._waiting: deque[SessionChanged | None] = deque()
        self._news = asyncio.Event()
        self._error: CliplineError | None = None

    def put(self, change: SessionChanged | None) -> None:
        if change is None or len(self._waiting) >= MOST:
            self._waiting.clear()
            change = None
        self._waiting.append(change)
        self._news.set()

    def fail(self, error: CliplineError) -> None:
        self._error = error
        self._news.set()

    async def next(self) -> SessionChanged | None:
        while not self._waiting:
            if self._error is not None:
                raise self._error
            self._news.clear()
            await self._news.wait()
        return self._waiting.popleft()
