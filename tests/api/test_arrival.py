"""Clients that never end what they begin, and proxies that say for whom they ask."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import httpx
import msgspec
import pytest

from shared.settings import Settings
from tests.api.serving import Api, serving
from tests.api.test_search import cat

pytestmark = pytest.mark.anyio

WITHIN_S = 30.0
SEARCH = b"POST /v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
UPLOAD = (
    b"POST /v1/collections/things/items HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
    b"Content-Type: multipart/form-data; boundary=b\r\n\r\n"
)


@asynccontextmanager
async def connected(api: Api) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    url = httpx.URL(api.url)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def rest(reader: asyncio.StreamReader) -> bytes:
    """All that comes until the server closes."""
    async with asyncio.timeout(WITHIN_S):
        return await reader.read()


@pytest.mark.parametrize("head", [SEARCH, UPLOAD], ids=["JSON", "multipart"])
@pytest.mark.parametrize("limit", ["body_pause_s", "body_timeout_s"])
async def test_a_body_that_never_comes_is_a_408_and_ends_the_connection(
    settings: Settings, things: str, head: bytes, limit: str
) -> None:
    with serving(msgspec.structs.replace(settings, **{limit: 0.2})) as api:
        async with connected(api) as (reader, writer):
            writer.write(head)
            answer = await rest(reader)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"request-timeout"' in answer
    assert b"connection: close" in answer.lower()


async def test_a_body_that_trickles_is_cut_off_in_the_end(settings: Settings) -> None:
    with serving(msgspec.structs.replace(settings, body_timeout_s=0.5)) as api:
        async with connected(api) as (reader, writer):
            writer.write(SEARCH)
            answer = asyncio.create_task(rest(reader))
            sent = 0
            while not answer.done() and sent < 99:
                writer.write(b" ")
                sent += 1
                await asyncio.wait([answer], timeout=0.05)
            # Who still sends when the server closes may be told by a reset alone, as TCP has it.
            with suppress(ConnectionResetError):
                assert (await answer).startswith(b"HTTP/1.1 408 ")
            assert answer.done()


async def test_a_head_that_never_ends_is_hung_up_on(settings: Settings) -> None:
    with serving(msgspec.structs.replace(settings, body_pause_s=1.0)) as api:
        async with connected(api) as (reader, writer):
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: localh")
            assert await rest(reader) == b""
        async with connected(api) as (reader, writer):
            # A second request on a connection that was fine so far.
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /hea")
            assert (await rest(reader)).startswith(b"HTTP/1.1 200 ")


async def test_a_long_poll_waits_longer_than_a_body_may(settings: Settings, things: str) -> None:
    with serving(msgspec.structs.replace(settings, body_pause_s=1.0, body_timeout_s=1.0)) as api:
        async with httpx.AsyncClient(base_url=api.url, timeout=WITHIN_S) as client:
            answer = await client.post("/v1/search?wait=1.5", json=cat())
    assert answer.status_code == 202


async def test_a_refused_upload_leaves_nothing_behind(settings: Settings, things: str) -> None:
    with serving(msgspec.structs.replace(settings, body_pause_s=0.2)) as api:
        async with connected(api) as (reader, writer):
            writer.write(
                UPLOAD + b'50\r\n--b\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
            )
            assert (await rest(reader)).startswith(b"HTTP/1.1 408 ")
    assert not [path for path in settings.media_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("trusted", "caller"), [("", "127.0.0.1"), ("127.0.0.1", "203.0.113.7"), ("10.0.0.0/8", "127.0.0.1")]
)
async def test_who_asks_is_believed_of_trusted_proxies_alone(
    settings: Settings, caplog: pytest.LogCaptureFixture, trusted: str, caller: str
) -> None:
    caplog.set_level(logging.INFO)
    with serving(msgspec.structs.replace(settings, trusted_proxies=trusted)) as api:
        async with httpx.AsyncClient(base_url=api.url, timeout=WITHIN_S) as client:
            await client.get("/v1/jobs", headers={"x-forwarded-for": "203.0.113.7", "x-forwarded-proto": "https"})
    assert [
        line for line in caplog.messages if line.startswith("GET /v1/jobs → 200") and line.endswith(f"for {caller}")
    ]
