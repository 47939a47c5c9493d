"""A client of event streams for tests: what it waits for, it waits for with a deadline."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

WAIT_S = 20.0


@dataclass(frozen=True)
class Told:
    """One event; `seq` is its id."""

    name: str
    seq: str
    frame: dict[str, Any]


class Stream:
    """One answer; comments are counted, events are kept for who asks."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.comments = 0
        self._lines = response.aiter_lines()

    async def next(self) -> Told | None:
        """The next event, or None at the end of the stream."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(WAIT_S):
            async for line in self._lines:
                if line.startswith(":"):
                    self.comments += 1
                elif line:
                    name, _, value = line.partition(": ")
                    fields[name] = value
                elif "data" in fields:
                    return Told(fields["event"], fields["id"], json.loads(fields["data"]))
        return None

    async def rest(self) -> list[Told]:
        told = []
        while (one := await self.next()) is not None:
            told.append(one)
        return told

    async def comment(self) -> None:
        """Until the next comment."""
        known = self.comments
        async with asyncio.timeout(WAIT_S):
            async for line in self._lines:
                self.comments += line.startswith(":")
                if self.comments > known:
                    return


@asynccontextmanager
async def streaming(
    client: httpx.AsyncClient, job: str, *, after: str | None = None, headers: dict[str, str] | None = None
) -> AsyncIterator[Stream]:
    given = {**(headers or {}), **({} if after is None else {"Last-Event-ID": after})}
    async with client.stream("GET", f"/v1/jobs/{job}/events", headers=given) as response:
        yield Stream(response)
