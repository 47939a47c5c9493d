"""An event loop in a thread of its own, for callers who have none."""

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from typing import Any, TypeVar

Answer = TypeVar("Answer")


class Background:
    """Runs coroutines for any thread; a forgotten one does not keep the interpreter from ending."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="clipline", daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, Answer]) -> Answer:
        """Waits for the answer; a caller that is interrupted takes the question back."""
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def iterate(self, items: AsyncIterator[Answer]) -> Iterator[Answer]:
        """Item by item; one that is left early is closed."""
        nothing = object()
        try:
            while (item := self.run(_next(items, nothing))) is not nothing:
                yield item
        finally:
            self.run(_close(items))

    def close(self) -> None:
        if self._loop.is_closed():
            return
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _next(items: AsyncIterator[Any], nothing: object) -> Any:
    return await anext(items, nothing)


async def _close(items: AsyncIterator[Any]) -> None:
    close = getattr(items, "aclose", None)
    if close is not None:
        await close()
