"""uvicorn's websocket protocol, with the two closes that it lacks, and a way to write without a task."""

from asyncio import TimerHandle
from collections.abc import Iterator, Sequence
from struct import pack
from typing import Any

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from api.lean import LeanFlag, LeanQueue

GOING_AWAY = 1001
# After our close a peer that reads nothing may keep the connection, and its buffers, for so long.
LINGER_S = 15.0
EXTENSION = "clipline.socket"
# RFC 6455, section 5.2: the last frame of a message, text, unmasked, as a server sends it.
FINAL_TEXT = 0x81


class Sockets(WebSocketsSansIOProtocol):
    """Says 1001 when the process ends, and lets no stalled peer hold back a close or a connection."""

    _linger: TimerHandle | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.queue = LeanQueue()  # type: ignore[assignment]
        self.writable = LeanFlag()  # type: ignore[assignment]

    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)
        if not self.close_sent:
            # Its task starts in a later turn of the loop, so it finds us here.
            extensions: dict[str, Any] = self.scope["extensions"]
            extensions[EXTENSION] = self

    def write_texts(self, texts: Sequence[bytes]) -> bool:
        """Messages in one write; False, and nothing is written, while the peer does not take what is buffered.

        No extension is negotiated, so a frame is its header and its text.
        """
        if not self.writable.is_set():
            return False
        if not (self.close_sent or self.disconnected or self.transport.is_closing()):
            self.transport.write(b"".join(_framed(texts)))
        return True

    async def write_text(self, text: bytes) -> None:
        """Waits until the peer takes more."""
        while not self.write_texts([text]):
            await self.writable.wait()

    def shutdown(self) -> None:
        if self.handshake_complete and not self.close_sent:
            self.stop_keepalive()
            self.queue.put_nowait({"type": "websocket.disconnect", "code": GOING_AWAY})
            self.conn.send_close(GOING_AWAY)
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.close_sent = True
            self.transport.close()
            self._abort_later()
        else:
            super().shutdown()

    async def send(self, message: ASGISendEvent) -> None:
        if message["type"] == "websocket.close":
            # Queued behind what is buffered already; waiting for the buffer to drain could last for ever.
            self.writable.set()
            self._abort_later()
        await super().send(message)
        if message["type"] == "websocket.accept":
            # Nobody looks at the handshake again; its headers would stay as long as the connection does.
            self.request.headers.clear()
            del self.request, self.response

    def connection_lost(self, exc: Exception | None) -> None:
        if self._linger is not None:
            self._linger.cancel()
        super().connection_lost(exc)

    def _abort_later(self) -> None:
        if self._linger is None:
            self._linger = self.loop.call_later(LINGER_S, self.transport.abort)


def _framed(texts: Sequence[bytes]) -> Iterator[bytes]:
    for text in texts:
        yield _head(len(text))
        yield text


def _head(size: int) -> bytes:
    if size < 126:
        return pack("!BB", FINAL_TEXT, size)
    if size < 2**16:
        return pack("!BBH", FINAL_TEXT, 126, size)
    return pack("!BBQ", FINAL_TEXT, 127, size)
