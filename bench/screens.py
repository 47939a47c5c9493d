"""Many websocket clients in one event loop, so light that the server is what is measured."""

import asyncio
import struct
from asyncio import Future, Transport
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import msgspec

# RFC 6455, section 5: a client's frames are masked; a mask of zeros changes nothing.
MASKED, NO_MASK = 0x80, b"\0\0\0\0"
TEXT, CLOSE, PING, PONG = 0x81, 0x88, 0x89, 0x8A
AT_ONCE = 100
LOOK_S = 0.001

OnText = Callable[["Screen", bytes], None]


class Screen(asyncio.Protocol):
    """One client; `texts` counts what it was told after the handshake."""

    __slots__ = ("_buffer", "_host", "_path", "closed", "on_text", "opened", "state", "texts", "transport")

    def __init__(self, url: str, on_text: OnText | None) -> None:
        self._host, self._path = urlsplit(url).netloc, url.partition(urlsplit(url).netloc)[2]
        self._buffer = b""
        self.on_text = on_text
        self.opened: Future[bytes] = asyncio.get_running_loop().create_future()
        self.closed = False
        self.texts = 0
        self.state: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport: Transport = transport
        lines = (
            f"GET {self._path} HTTP/1.1",
            f"Host: {self._host}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        )
        transport.write("\r\n".join((*lines, "", "")).encode())

    def connection_lost(self, error: Exception | None) -> None:
        self.closed = True
        if not self.opened.done():
            self.opened.set_exception(error or ConnectionError("closed"))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self.opened.done():
            head, found, rest = self._buffer.partition(b"\r\n\r\n")
            if not found:
                return
            self._buffer = rest
            self.opened.set_result(head)
        self._read()

    def say(self, frame: Any) -> None:
        self._send(TEXT, msgspec.json.encode(frame))

    def _send(self, kind: int, data: bytes) -> None:
        size = len(data)
        head = struct.pack("!BB", kind, MASKED | size) if size < 126 else struct.pack("!BBH", kind, MASKED | 126, size)
        self.transport.write(head + NO_MASK + data)

    def _read(self) -> None:
        data, at = self._buffer, 0
        while len(data) - at >= 2:
            kind, size, head = data[at], data[at + 1], 2
            if size == 126:
                size, head = int.from_bytes(data[at + 2 : at + 4]), 4
            elif size == 127:
                size, head = int.from_bytes(data[at + 2 : at + 10]), 10
            if len(data) - at < head + size:
                break
            self._take(kind, data[at + head : at + head + size])
            at += head + size
        self._buffer = data[at:]

    def _take(self, kind: int, data: bytes) -> None:
        if kind == TEXT:
            self.texts += 1
            if self.on_text is not None:
                self.on_text(self, data)
        elif kind == PING:
            self._send(PONG, data)
        elif kind == CLOSE:
            self.transport.close()


async def open_screens(url: str, count: int, on_text: OnText | None = None) -> list[Screen]:
    """Connect and wait until every one was welcomed, that is, told its first text."""
    loop, parts = asyncio.get_running_loop(), urlsplit(url)
    host, port = parts.hostname or "", parts.port or 80
    screens: list[Screen] = []
    while len(screens) < count:
        some = min(AT_ONCE, count - len(screens))
        made = [loop.create_connection(lambda: Screen(url, on_text), host, port) for _ in range(some)]
        opened = [screen for _, screen in await asyncio.gather(*made)]
        await asyncio.gather(*(screen.opened for screen in opened))
        await until(lambda opened=opened: all(screen.texts for screen in opened))  # type: ignore[misc]
        screens += opened
    return screens


def close_all(screens: Sequence[Screen]) -> None:
    for screen in screens:
        screen.transport.abort()


async def until(condition: Callable[[], bool], *, within_s: float = 120.0) -> None:
    """Raises TimeoutError."""
    ends = monotonic() + within_s
    while not condition():
        await asyncio.sleep(LOOK_S)
        if monotonic() > ends:
            raise TimeoutError(f"not within {within_s:g} s")
