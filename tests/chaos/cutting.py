"""A proxy in front of several servers that cuts every connection at a random point."""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from random import Random
from urllib.parse import urlsplit

CHUNK_BYTES = 4_096


class Cutting:
    """Passes each connection on to any of the servers; after a random number of bytes both ends of it are gone."""

    def __init__(self, urls: Sequence[str], random: Random, *, mean_bytes: float) -> None:
        self._places = [(urlsplit(url).hostname or "", urlsplit(url).port or 80) for url in urls]
        self._random = random
        self._mean_bytes = mean_bytes
        self.cuts = 0

    async def serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        host, port = self._random.choice(self._places)
        try:
            with suppress(OSError):
                far_reader, far_writer = await asyncio.open_connection(host, port)
                try:
                    await self._pass_on((reader, far_writer), (far_reader, writer))
                finally:
                    far_writer.transport.abort()
        finally:
            writer.transport.abort()

    async def _pass_on(self, *ways: tuple[StreamReader, StreamWriter]) -> None:
        left = [self._random.expovariate(1 / self._mean_bytes)]
        tasks = [asyncio.create_task(self._one_way(*way, left)) for way in ways]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _one_way(self, reader: StreamReader, writer: StreamWriter, left: list[float]) -> None:
        """Until the connection's bytes are used up: in the middle of a frame, as likely as not."""
        while data := await reader.read(CHUNK_BYTES):
            part = data[: max(0, int(left[0]))]
            left[0] -= len(data)
            writer.write(part)
            await writer.drain()
            if left[0] <= 0:
                self.cuts += 1
                return


@asynccontextmanager
async def cutting(urls: Sequence[str], random: Random, *, mean_bytes: float) -> AsyncIterator[tuple[str, Cutting]]:
    """The proxy's own URL, and what it did."""
    proxy = Cutting(urls, random, mean_bytes=mean_bytes)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}", proxy
    finally:
        server.close()
