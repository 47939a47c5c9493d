"""The server that a command calls, and how its refusals read."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from cli.failures import Failure, Mistake, Unreachable
from client.address import Address
from client.calls import Call
from client.http import Http
from client.problems import NoAnswer
from client.problems import Unreachable as Away
from shared.errors import CliplineError, TooManyRequests, Unavailable


@contextlib.asynccontextmanager
async def connect(url: str, key: str | None, *, patience_s: float = 0.0) -> AsyncIterator[Http]:
    """Raises Mistake for an address that is none."""
    try:
        address = Address.parse(url)
    except ValueError as error:
        raise Mistake(f"--url {url!r}: {error}") from error
    async with Http(address, key=key, patience_s=patience_s) as http:
        yield http


async def ask(call: Call, url: str, key: str | None) -> Any:
    """One call's decoded answer."""
    async with connect(url, key) as http:
        return await http.json(call)


def failure_of(error: CliplineError) -> Failure:
    """What a command ends with: the server's reason, or that it, or what it needs, does not answer."""
    kind = Unreachable if isinstance(error, Away | Unavailable | TooManyRequests) else Failure
    return kind(told(error))


def told(error: CliplineError) -> str:
    """In one line, with the field that is wrong."""
    if isinstance(error, Away):
        return error.detail
    where = f" ({error.field})" if error.field else ""
    detail = f": {error.detail}" if error.detail != error.title else ""
    hint = "; `clipline jobs show ID` tells more" if isinstance(error, NoAnswer) else ""
    return f"{error.title}{detail}{where}{hint}"
