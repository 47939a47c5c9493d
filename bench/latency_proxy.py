"""A Redis that is further away: a TCP proxy on loopback that holds every answer back for a while.

`python -m bench.latency_proxy UNIX_SOCKET LATENCY_MS` prints its port. The order within a connection is kept, and many
answers may be on their way at once, as on a real network.
"""

import asyncio
import contextlib
import selectors
import sys
from asyncio import Protocol, Transport
from collections import deque
from time import perf_counter
from typing import cast


class Backward(Protocol):
    """The side of Redis: what it answers is due `latency_s` later."""

    def __init__(self, client: Transport, latency_s: float) -> None:
        self.client = client
        self.latency_s = latency_s
        self._held: deque[tuple[float, bytes]] = deque()

    def data_received(self, data: bytes) -> None:
        due = perf_counter() + self.latency_s
        if not self._held:
            self._at(self.latency_s)
        self._held.append((due, data))

    def _at(self, delay_s: float) -> None:
        asyncio.get_running_loop().call_later(delay_s, self._release)

    def _release(self) -> None:
        now = perf_counter()
        ready = []
        while self._held and self._held[0][0] <= now:
            ready.append(self._held.popleft()[1])
        self.client.write(b"".join(ready))
        if self._held:
            self._at(self._held[0][0] - now)

    def connection_lost(self, error: Exception | None) -> None:
        self.client.close()


class Forward(Protocol):
    """The side of a client: what it asks is passed on at once."""

    def __init__(self, socket: str, latency_s: float) -> None:
        self.socket = socket
        self.latency_s = latency_s
        self._redis: Transport | None = None
        self._early: list[bytes] = []
        self._connecting: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._connecting = asyncio.create_task(self._connect(cast(Transport, transport)))

    async def _connect(self, client: Transport) -> None:
        loop = asyncio.get_running_loop()
        try:
            transport, _ = await loop.create_unix_connection(lambda: Backward(client, self.latency_s), self.socket)
        except OSError:
            client.close()
            return
        self._redis = transport
        transport.write(b"".join(self._early))

    def data_received(self, data: bytes) -> None:
        if self._redis is None:
            self._early.append(data)
        else:
            self._redis.write(data)

    def connection_lost(self, error: Exception | None) -> None:
        if self._redis is not None:
            self._redis.close()


async def serve(socket: str, latency_ms: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Forward(socket, latency_ms / 1000), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    # epoll rounds a wait up to whole milliseconds, select counts in microseconds.
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selectors.SelectSelector())) as runner:
        runner.run(serve(sys.argv[1], float(sys.argv[2])))


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
