"""A proxy whose first connection breaks just when something is asked, while what was asked is still on its way."""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

CHUNK_BYTES = 65_536


class Late:
    """Of the first connection it keeps what comes after the server's first words, and hangs up on the client.

    `deliver` sends that to the server after all.
    """

    def __init__(self, url: str) -> None:
        self._host, self._port = urlsplit(url).hostname or "", urlsplit(url).port or 80
        self._kept: asyncio.Future[tuple[bytes, StreamReader, StreamWriter]] = asyncio.Future()
        self._first = True

    async def serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(self._host, self._port)
        first, self._first = self._first, False
        back = asyncio.create_task(_pass_on(far_reader, writer))
        try:
            if first:
                far_writer.write(await reader.readuntil(b"\r\n\r\n"))
                self._kept.set_result((await reader.read(CHUNK_BYTES), far_reader, far_writer))
            else:
                await _pass_on(reader, far_writer)
        finally:
            back.cancel()
            with suppress(asyncio.CancelledError):
                await back
            writer.transport.abort()
            if not first:
                far_writer.transport.abort()

    async def deliver(self, *, until: bytes) -> None:
        """Until the server has said so."""
        asked, reader, writer = await self._kept
        writer.write(asked)
        await reader.readuntil(until)
        writer.transport.abort()


async def _pass_on(reader: StreamReader, writer: StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(CHUNK_BYTES):
            writer.write(data)
            await writer.drain()


@asynccontextmanager
async def late(url: str) -> AsyncIterator[tuple[str, Late]]:
    """The proxy's own URL, and the proxy."""
    proxy = Late(url)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", proxy
    finally:
        server.close()
