"""What ties log lines and spans of several processes together: a request's id, and W3C's traceparent.

A job carries both in one text: the id alone, a traceparent whose trace id is the id, or `ID/TRACEPARENT`.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

# W3C Trace Context, Level 1, 3.2: version 00, trace id, parent id, flags; ids of zeros are none.
WELL_FORMED = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")

_followed: ContextVar[str | None] = ContextVar("followed", default=None)


def trace_id(traceparent: str | None) -> str | None:
    """The trace's id of 32 digits; None for what is no traceparent."""
    found = WELL_FORMED.fullmatch(traceparent or "")
    return found[1] if found else None


def carried(request_id: str, traceparent: str | None) -> str:
    """What a job carries."""
    if traceparent is None:
        return request_id
    return traceparent if trace_id(traceparent) == request_id else f"{request_id}/{traceparent}"


def read(text: str) -> tuple[str, str | None]:
    """The id for logs, and the traceparent if there is one."""
    request_id, _, traceparent = text.rpartition("/")
    found = trace_id(traceparent)
    return (request_id or found, traceparent) if found else (text, None)


@contextmanager
def following(traceparent: str | None) -> Iterator[None]:
    """What is done inside belongs to a caller's trace."""
    token = _followed.set(traceparent)
    try:
        yield
    finally:
        _followed.reset(token)


def follow(traceparent: str | None) -> None:
    """The same, for the rest of the task."""
    _followed.set(traceparent)


def followed() -> str | None:
    """The traceparent that is followed, if there is one."""
    return _followed.get()
