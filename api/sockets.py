"""uvicorn's websocket protocol, with the two closes that it lacks."""

from asyncio import TimerHandle

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

GOING_AWAY = 1001
# After our close a peer that reads nothing may keep the connection, and its buffers, for so long.
LINGER_S = 15.0


class Sockets(WebSocketsSansIOProtocol):
    """Says 1001 when the process ends, and lets no stalled peer hold back a close or a connection."""

    _linger: TimerHandle | None = None

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

    def connection_lost(self, exc: Exception | None) -> None:
        if self._linger is not None:
            self._linger.cancel()
        super().connection_lost(exc)

    def _abort_later(self) -> None:
        if self._linger is None:
            self._linger = self.loop.call_later(LINGER_S, self.transport.abort)
