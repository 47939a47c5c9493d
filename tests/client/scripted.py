"""A websocket server whose side of the talk a test writes, frame by frame."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

WAIT_S = 20.0

Frame = dict[str, Any]


class Visit:
    """One connection of a client; a ping that wants an answer gets one."""

    def __init__(self, connection: ServerConnection) -> None:
        request = connection.request
        assert request is not None
        self._connection = connection
        self.headers = request.headers
        self.path = request.path
        self.query = {name: values[0] for name, values in parse_qs(urlsplit(request.path).query).items()}
        self.heard: asyncio.Queue[Frame] = asyncio.Queue()

    async def listen(self) -> None:
        with suppress(ConnectionClosed):
            while True:
                frame = json.loads(await self._connection.recv())
                if frame["op"] == "ping":
                    await self.say("pong", id=frame["id"])
                else:
                    self.heard.put_nowait(frame)

    async def say(self, op: str, **fields: Any) -> None:
        await self._connection.send(json.dumps({"op": op, **fields}))

    async def welcome(self, session: str = "s1", *, recovered: bool = False, seq: str = "00") -> None:
        await self.say("welcome", session=session, seq=seq, recovered=recovered)

    async def next(self) -> Frame:
        return await asyncio.wait_for(self.heard.get(), WAIT_S)

    async def answer(self, name: str, label: str, seq: str = "50") -> None:
        took = {"queue_ms": 1, "encode_ms": 1, "search_ms": 1, "total_ms": 3}
        result = {"took": took, "model": label, "exhausted": False, "hits": []}
        await self.say("result", id=name, seq=seq, job=f"job-{name}", state="succeeded", result=result)

    async def close(self, code: int) -> None:
        await self._connection.close(code)

    def drop(self) -> None:
        self._connection.transport.abort()


class Scripted:
    """Where clients come; each visit is handed out once, in order."""

    def __init__(self) -> None:
        self.url = ""
        self._visits: asyncio.Queue[Visit] = asyncio.Queue()

    async def visit(self) -> Visit:
        return await asyncio.wait_for(self._visits.get(), WAIT_S)

    async def welcomed(self) -> Visit:
        visit = await self.visit()
        await visit.welcome()
        return visit

    async def serve(self, connection: ServerConnection) -> None:
        visit = Visit(connection)
        self._visits.put_nowait(visit)
        await visit.listen()


@asynccontextmanager
async def scripted() -> AsyncIterator[Scripted]:
    one = Scripted()
    async with serve(one.serve, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        one.url = f"http://127.0.0.1:{port}"
        yield one
