"""The one way from a text to its vector: from memory, from Redis, from whoever encodes it already, or from the device.

Redis is asked beside something else where that is possible: `expect` begins it, while a job still reads what it
searches in.
"""

import asyncio
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from shared.jobs import Lane
from workers.batcher import Batcher
from workers.encoders.protocol import Encoder, Tokens
from workers.encoding import Embedded
from workers.vector_cache import Vector, VectorCache

Started = Callable[[], None] | None

# A longer text is tokenised on a thread, as a millisecond would be felt by everything else on the loop, and is not kept
# in memory, where it could take more room than its vector.
LONG_CHARS = 400
# Waiting for another worker: at most this many times what an encoding took here lately, within bounds.
PATIENCE = 2.0
PATIENCE_S = (0.02, 1.0)
FIRST_USUAL_S = 0.05
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.002, 0.02


class _Flight:
    """One text on its way to its vector, for all who want it; it is given up when the last of them leaves."""

    def __init__(self, text: str, lane: Lane) -> None:
        self.text = text
        self.lane = lane
        self.users = 0
        self.outcome = "miss"
        self.counted = False
        self.tokens: tuple[Tokens, bool] | None = None
        self.wanted = asyncio.Event()
        self.task: asyncio.Task[Embedded] | None = None
        self._on_device = False
        self._tell: list[Callable[[], None]] = []

    def want(self, started: Started) -> None:
        self.wanted.set()
        if started is not None:
            self._tell.append(started)
            if self._on_device:
                started()

    def taken_by_device(self) -> None:
        """On the device's thread. One who joins at this moment may be told twice."""
        self._on_device = True
        for tell in self._tell:
            tell()


class TextVectors:
    """`cache` is None where nothing is kept; what is asked for at the same time is encoded once even so.

    `most` bounds the vectors in memory; `count` hears where each vector came from that was not encoded for its asker.
    """

    def __init__(
        self,
        encoder: Encoder,
        batcher: Batcher,
        cache: VectorCache | None,
        *,
        most: int,
        count: Callable[[str], None],
        patience_s: tuple[float, float] = PATIENCE_S,
    ) -> None:
        self.hits = 0
        self._encoder = encoder
        self._batcher = batcher
        self._cache = cache
        self._most = most
        self._count = count
        self._least_s, self._most_s = patience_s
        self._usual_s = FIRST_USUAL_S
        self._known: OrderedDict[str, tuple[Vector, bool]] = OrderedDict()
        self._flights: dict[tuple[str, Lane], _Flight] = {}
        self._beside: set[asyncio.Task[None]] = set()

    async def vector(self, text: str, *, lane: Lane = "interactive", started: Started = None) -> Embedded:
        """As `Batcher.text`; a vector that was not encoded has a batch of 0. Raises EncoderAway."""
        if (known := self._recall(text)) is not None:
            self._hit("memory")
            return known
        with self._aboard(text, lane) as flight:
            first, flight.counted = not flight.counted, True
            flight.want(started)
            assert flight.task is not None, "set when it was made"
            # A shield: one who is cancelled leaves the others to fly on.
            embedded = await asyncio.shield(flight.task)
        outcome = flight.outcome if first else "joined"
        if outcome != "miss":
            self._hit(outcome)
        return embedded

    @contextmanager
    def expect(self, text: str | None, *, lane: Lane) -> Iterator[None]:
        """Around what will ask for this text's vector: Redis is asked meanwhile, the device is not."""
        if text is None or self._cache is None or text in self._known:
            yield
            return
        with self._aboard(text, lane):
            yield

    async def told(self) -> None:
        """Until Redis knows what was encoded up to now."""
        await asyncio.gather(*self._beside)

    async def close(self) -> None:
        """Give up what is under way."""
        tasks = [*self._beside, *(flight.task for flight in self._flights.values() if flight.task)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _hit(self, outcome: str) -> None:
        self.hits += 1
        self._count(outcome)

    @contextmanager
    def _aboard(self, text: str, lane: Lane) -> Iterator[_Flight]:
        flight = self._flights.get((text, lane)) or self._depart(text, lane)
        flight.users += 1
        try:
            yield flight
        finally:
            flight.users -= 1
            assert flight.task is not None, "set when it was made"
            if flight.users == 0:
                flight.task.cancel()
                self._landed(flight)

    def _depart(self, text: str, lane: Lane) -> _Flight:
        flight = self._flights[text, lane] = _Flight(text, lane)
        flight.task = asyncio.create_task(self._fly(flight))
        flight.task.add_done_callback(lambda task: self._ended(flight, task))
        return flight

    def _ended(self, flight: _Flight, task: asyncio.Task[Embedded]) -> None:
        self._landed(flight)
        if not task.cancelled():
            # Read here too: perhaps nobody waits for it any more.
            task.exception()

    def _landed(self, flight: _Flight) -> None:
        """Who comes from now on starts anew."""
        if self._flights.get((flight.text, flight.lane)) is flight:
            del self._flights[flight.text, flight.lane]

    # -- one flight

    async def _fly(self, flight: _Flight) -> Embedded:
        if self._cache is None:
            return await self._encoded(flight)
        tokens, truncated = flight.tokens = await self._tokenized(flight.text)
        # An interactive text does not wait for one of the bulk lane.
        mark = secrets.token_hex(8) if flight.lane == "interactive" else ""
        name = self._cache.name(tokens)
        try:
            found = await self._found(name, mark, flight)
            if found is None:
                embedded = await self._encoded(flight)
                if telling := self._cache.keep(name, embedded.vector):
                    self._soon(telling)
            else:
                embedded = Embedded(found, truncated, 0, time.time_ns())
        except BaseException:
            if mark:
                self._soon(self._cache.unmark(name, mark=mark))
            raise
        self._remember(flight.text, embedded.vector, truncated=truncated)
        return embedded

    async def _tokenized(self, text: str) -> tuple[Tokens, bool]:
        if len(text) > LONG_CHARS:
            return await asyncio.to_thread(self._encoder.tokenize, text)
        return self._encoder.tokenize(text)

    async def _found(self, name: str, mark: str, flight: _Flight) -> Vector | None:
        """The vector, if Redis has it or another worker brings it in time."""
        assert self._cache is not None, "asked with a cache only"
        answer = await self._cache.ask(name, mark=mark)
        flight.outcome = "redis"
        ends, pause_s = time.monotonic() + self._patience_s(), FIRST_PAUSE_S
        while isinstance(answer, str) and answer == "theirs" and time.monotonic() < ends:
            flight.outcome = "awaited"
            await asyncio.sleep(pause_s)
            pause_s = min(LONGEST_PAUSE_S, 2 * pause_s)
            # One who gave up took the mark back; then it is ours.
            answer = await self._cache.ask(name, mark=mark)
        if not isinstance(answer, str):
            return answer
        flight.outcome = "miss"
        return None

    def _patience_s(self) -> float:
        return max(self._least_s, min(self._most_s, PATIENCE * self._usual_s))

    async def _encoded(self, flight: _Flight) -> Embedded:
        await flight.wanted.wait()
        began = time.monotonic()
        embedded = await self._batcher.text(
            flight.text, lane=flight.lane, started=flight.taken_by_device, tokens=flight.tokens
        )
        self._usual_s += (time.monotonic() - began - self._usual_s) / 8
        return embedded

    def _soon(self, call: Coroutine[Any, Any, None]) -> None:
        """Tell Redis, but let nobody wait for that."""
        task = asyncio.create_task(call)
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)

    # -- in memory

    def _recall(self, text: str) -> Embedded | None:
        if text not in self._known:
            return None
        self._known.move_to_end(text)
        vector, truncated = self._known[text]
        return Embedded(vector, truncated, 0, time.time_ns())

    def _remember(self, text: str, vector: Vector, *, truncated: bool) -> None:
        if len(text) > LONG_CHARS:
            return
        # A copy: a row would keep its whole batch in memory.
        kept = vector.copy()
        kept.flags.writeable = False
        self._known[text] = kept, truncated
        self._known.move_to_end(text)
        while len(self._known) > self._most:
            self._known.popitem(last=False)
