"""A websocket client for tests: what it waits for, it waits for with a deadline."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.api.serving import Api

WAIT_S = 20.0

Frame = dict[str, Any]


class Talk:
    """One connection; `welcome` is its first frame."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.welcome: Frame = {}

    async def say(self, op: str, **fields: Any) -> None:
        await self.connection.send(json.dumps({"op": op, **fields}))

    async def search(self, name: str, text: str = "a cat", *, key: str | None = None, **more: Any) -> None:
        keyed = {} if key is None else {"key": key}
        await self.say("search", id=name, search={"collection": "things", "query": {"text": text}, **more}, **keyed)

    async def next(self) -> Frame:
        frame: Frame = json.loads(await asyncio.wait_for(self.connection.recv(), WAIT_S))
        return frame

    async def next_or_end(self) -> Frame | None:
        """The next frame, or None when the server has closed."""
        try:
            return await self.next()
        except ConnectionClosed:
            return None

    async def until(self, op: str, **fields: Any) -> list[Frame]:
        """All frames up to the first one of that kind."""
        frames = []
        while True:
            frames.append(await self.next())
            if frames[-1]["op"] == op and all(frames[-1].get(name) == value for name, value in fields.items()):
                return frames

    async def code(self) -> int:
        """The close code, after whatever still comes."""
        try:
            while True:
                await asyncio.wait_for(self.connection.recv(), WAIT_S)
        except ConnectionClosed:
            assert self.connection.close_code is not None
            return self.connection.close_code


@asynccontextmanager
async def talking(
    api: Api, *, headers: dict[str, str] | None = None, welcomed: bool = True, host: str | None = None, **query: str
) -> AsyncIterator[Talk]:
    address = f"{api.ws_url}?{urlencode(query)}" if query else api.ws_url
    place: dict[str, Any] = {} if host is None else {"host": "127.0.0.1", "port": int(api.url.rpartition(":")[2])}
    if host is not None:
        address = f"ws://{host}/v1/ws"
    async with connect(
        address, additional_headers=headers, max_size=None, compression=None, proxy=None, **place
    ) as connection:
        talk = Talk(connection)
        if welcomed:
            talk.welcome = await talk.next()
            assert talk.welcome["op"] == "welcome"
        yield talk
