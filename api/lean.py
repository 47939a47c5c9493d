"""What asyncio has in larger: a queue and a flag for one reader, for ten thousand connections that mostly lie idle.

asyncio's queue and event hold four deques of 600 bytes and more, before anything is in them or waits for them.
"""

import asyncio
from asyncio import Future
from typing import Any


class LeanQueue:
    """`put_nowait`, `get` and `empty` of asyncio.Queue, for one reader."""

    __slots__ = ("_items", "_reader")

    def __init__(self) -> None:
        self._items: list[Any] = []
        self._reader: Future[None] | None = None

    def put_nowait(self, item: Any) -> None:
        self._items.append(item)
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def empty(self) -> bool:
        return not self._items

    async def get(self) -> Any:
        while not self._items:
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        return self._items.pop(0)


class LeanFlag:
    """asyncio.Event for few who wait; set at first."""

    __slots__ = ("_set", "_waiting")

    def __init__(self) -> None:
        self._set = True
        self._waiting: Future[None] | None = None

    def is_set(self) -> bool:
        return self._set

    def set(self) -> None:
        self._set = True
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)
        self._waiting = None

    def clear(self) -> None:
        self._set = False

    async def wait(self) -> bool:
        """True, as asyncio's; all who wait share one future, which no one's cancellation takes from the others."""
        while not self._set:
            if self._waiting is None:
                self._waiting = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._waiting)
        return True
