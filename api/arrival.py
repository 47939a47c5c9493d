"""How long a request may take to arrive: a client that never ends its body, or its head, holds nothing for ever."""

import asyncio
from asyncio import Transport
from time import monotonic
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from shared.errors import RequestTimeout


class Arrival:
    """Bounds a body's longest pause and its whole time; beyond them reading raises RequestTimeout."""

    def __init__(self, app: ASGIApp, pause_s: float, total_s: float) -> None:
        self.app = app
        self.pause_s = pause_s
        self.total_s = total_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body = _Body(receive, send, pause_s=self.pause_s, ends=monotonic() + self.total_s)
        await self.app(scope, body.receive, body.send)


class _Body:
    def __init__(self, receive: Receive, send: Send, *, pause_s: float, ends: float) -> None:
        self._receive = receive
        self._send = send
        self._pause_s = pause_s
        self._ends = ends
        self._arrived = False
        self._answered = False

    async def receive(self) -> Message:
        if self._arrived:
            return await self._receive()
        try:
            async with asyncio.timeout(min(self._pause_s, self._ends - monotonic())):
                message = await self._receive()
        except TimeoutError as error:
            if self._answered:
                # Nobody wants the rest any more: as if the client had hung up.
                return {"type": "http.disconnect"}
            raise RequestTimeout("the rest of the body did not come in time") from error
        self._arrived = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        self._answered = True
        await self._send(message)


class Heads(HttpToolsProtocol):
    """uvicorn's protocol, which would wait for the end of a request's head for ever."""

    head_s = 15.0
    # A connection on which nothing was ever asked: browsers and proxies open some ahead.
    first_s = 75.0
    _waiting: asyncio.TimerHandle | None = None
    _in_head = False

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        self._wait(self.first_s)

    def on_message_begin(self) -> None:
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        began = self._in_head
        super().data_received(data)
        # Most heads come in one piece, and need no timer.
        if not self._in_head:
            self._wait(None)
        elif not began:
            self._wait(self.head_s)

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait(None)
        super().connection_lost(exc)

    def _wait(self, seconds: float | None) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
        self._waiting = None if seconds is None else self.loop.call_later(seconds, self._give_up)

    def _give_up(self) -> None:
        self._waiting = None
        if not self.transport.is_closing():
            self.transport.close()


def protocol(head_s: float) -> Any:
    """The class for a server whose clients have so many seconds for a head."""
    return type("Heads", (Heads,), {"head_s": head_s})
