"""Somebody who searches over a connection that is cut again and again, and notes every frame."""

import asyncio
import json
import random
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

Frame = dict[str, Any]

OPEN_AT_ONCE = 4
PATIENCE_S = 30.0
AGAIN_S = 0.02
# A life of a connection ends after so many frames at most; one in three ends in the middle of what comes next.
MOST_FRAMES = 12


class Person:
    """`told` has all events and results in the order in which they came.

    `url` gives the address to call next; `on_answer` is called once for every search.
    """

    def __init__(
        self, name: str, *, searches: int, url: Callable[[], str], on_answer: Callable[[], None], seed: int
    ) -> None:
        self.wanted = [f"{name}-{number}" for number in range(searches)]
        self.answered: set[str] = set()
        self.told: list[Frame] = []
        self.session: str | None = None
        self.after: str | None = None
        self.cuts = 0
        self.not_recovered = 0
        self._url = url
        self._on_answer = on_answer
        self._draw = random.Random(seed)
        self._asked: set[str] = set()
        self._seen: set[str] = set()

    @property
    def done(self) -> bool:
        return len(self.answered) == len(self.wanted)

    async def search(self) -> None:
        """Until every search is answered. Raises TimeoutError when nothing comes for long."""
        while not self.done:
            try:
                await self._live()
            except (OSError, WebSocketException, EOFError):
                await asyncio.sleep(self._draw.uniform(0, AGAIN_S))

    def _address(self) -> str:
        if self.session is None:
            return self._url()
        query = {"session": self.session} | ({} if self.after is None else {"after": self.after})
        return f"{self._url()}?{urlencode(query)}"

    async def _live(self) -> None:
        """One connection, until it is cut."""
        async with asyncio.timeout(PATIENCE_S):
            connection = await connect(self._address(), compression=None, proxy=None, max_size=None, close_timeout=1)
        try:
            left = self._draw.randrange(MOST_FRAMES)
            while left > 0 and not self.done:
                frame = await self._next(connection)
                self._hear(frame)
                if frame["op"] == "welcome":
                    # Answered after all that was missed.
                    await connection.send('{"op": "ping"}')
                await self._ask(connection)
                left -= 1
            if self._draw.random() < 1 / 3:
                await asyncio.sleep(0)
        finally:
            self.cuts += 1
            connection.transport.abort()

    async def _next(self, connection: ClientConnection) -> Frame:
        async with asyncio.timeout(PATIENCE_S):
            frame: Frame = json.loads(await connection.recv())
        return frame

    async def _ask(self, connection: ClientConnection) -> None:
        if self.session is None:
            return
        open_ = [name for name in self._asked if name not in self.answered]
        for name in self.wanted:
            if len(open_) >= OPEN_AT_ONCE:
                return
            if name not in self._asked and name not in self.answered:
                # The same each time that it is asked: the name is its idempotency key.
                search = {"collection": "chaos", "query": {"text": f"work {name}"}}
                await connection.send(json.dumps({"op": "search", "id": name, "key": name, "search": search}))
                self._asked.add(name)
                open_.append(name)

    def _hear(self, frame: Frame) -> None:
        match frame["op"]:
            case "welcome":
                self._welcomed(frame)
            case "pong":
                # What was asked and never heard of has not arrived, or only just: it is asked again.
                self._asked &= self._seen
            case "accepted":
                self._seen.add(frame["id"])
            case "event" | "result":
                self._told(frame)

    def _told(self, frame: Frame) -> None:
        self.after = frame["seq"]
        self._seen.add(frame["id"])
        if "position" not in frame:
            self.told.append(frame)
        if frame["op"] == "result" and frame["id"] not in self.answered:
            self.answered.add(frame["id"])
            self._on_answer()

    def _welcomed(self, frame: Frame) -> None:
        if frame["session"] == self.session and self.after is not None:
            self.not_recovered += not frame["recovered"]
        if self.session is None:
            self.session, self.after = frame["session"], frame["seq"]
