"""The websocket's frames as a client sees them; fields and frames that are new to it are passed over."""

from typing import Any

import msgspec

from shared.errors import Problem
from shared.jobs import State
from shared.session_changes import SetChange


class _FromServer(msgspec.Struct, frozen=True, kw_only=True, tag_field="op"):
    """What a server may send."""


class Welcome(_FromServer, frozen=True, tag="welcome"):
    session: str
    seq: str
    recovered: bool


class Accepted(_FromServer, frozen=True, tag="accepted"):
    id: str
    job: str
    position: int | None = None


class JobEvent(_FromServer, frozen=True, tag="event"):
    """A step of a job; `at` is ISO 8601 UTC. Where it is known: `position` jobs of its lane wait before it, a running
    one has come to a `stage`, and an ingest has `done` so many of its `total` files.
    """

    seq: str
    job: str
    state: State
    id: str | None = None
    at: str | None = None
    position: int | None = None
    stage: str | None = None
    done: int | None = None
    total: int | None = None


class JobResult(_FromServer, frozen=True, tag="result"):
    """The one terminal frame of a job."""

    seq: str
    job: str
    state: State
    id: str | None = None
    result: dict[str, Any] | None = None
    error: Problem | None = None


class Refused(_FromServer, frozen=True, tag="error"):
    """A frame of ours that was not accepted."""

    error: Problem
    id: str | None = None
    job: str | None = None


class Pong(_FromServer, frozen=True, tag="pong"):
    id: str | None = None


class SessionChanged(_FromServer, frozen=True, tag="session"):
    """The sets that the session, or its team's `session`, holds in a collection have changed, through the member `by`.

    `changes` lead to `revision` from the one before, in their order; None when they are too many: read the session.
    Without a collection a member joined, or, where it says `ended`, the websocket's own session was ended.
    """

    session: str
    seq: str
    at: str | None = None
    collection: str | None = None
    revision: int | None = None
    by: str | None = None
    changes: list[SetChange] | None = None
    ended: bool = False


JobFrame = JobEvent | JobResult
ServerFrame = Welcome | Accepted | JobEvent | JobResult | Refused | Pong | SessionChanged

_decoder = msgspec.json.Decoder(ServerFrame)


def decode(text: str | bytes) -> ServerFrame | None:
    """None for what a newer server may say that this client does not know."""
    try:
        frame: ServerFrame = _decoder.decode(text)
    except msgspec.MsgspecError:
        return None
    return frame
