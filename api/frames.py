"""The websocket's frames, in both directions."""

from typing import Annotated, Any

import msgspec

from api import bodies
from shared.errors import Problem
from shared.jobs import State
from shared.marks import Marked, Marks, Step
from shared.session_changes import SetChange
from shared.stages import Stage

FrameId = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
JobId = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
Key = Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=r"^[ -~]+(?!\n)$")]


class _FromClient(msgspec.Struct, frozen=True, kw_only=True, tag_field="op", forbid_unknown_fields=True):
    """What a client may send."""


class Hello(_FromClient, frozen=True, tag="hello"):
    """The first frame of a browser, which cannot set headers."""

    key: Annotated[str, msgspec.Meta(max_length=256)]


class SearchFrame(_FromClient, frozen=True, tag="search"):
    """`search` is what POST /v1/search takes; its session is the connection's. `traceparent` is W3C's.

    `key` is what the header Idempotency-Key is there: the same search sent again with it is the same job.
    """

    id: FrameId
    search: dict[str, Any]
    key: Key | None = None
    traceparent: Annotated[str, msgspec.Meta(max_length=256)] | None = None


class Cancel(_FromClient, frozen=True, tag="cancel"):
    job: JobId
    id: FrameId | None = None


class Watch(_FromClient, frozen=True, tag="watch"):
    """A snapshot of one job, then its events, under `id` when one is given."""

    job: JobId
    id: FrameId | None = None


class Ping(_FromClient, frozen=True, tag="ping"):
    id: FrameId | None = None


class Follow(_FromClient, frozen=True, tag="follow"):
    """Operators only: pulses from now on, while anything happens to anybody's jobs."""

    id: FrameId | None = None


class MarkFrame(Marks, frozen=True, kw_only=True, tag_field="op", tag="mark"):
    """A change of what the connection's session holds."""

    id: FrameId | None = None


class UndoFrame(Step, frozen=True, kw_only=True, tag_field="op", tag="undo"):
    """Take back the last change."""

    id: FrameId | None = None


class RedoFrame(Step, frozen=True, kw_only=True, tag_field="op", tag="redo"):
    """Do again what was taken back last."""

    id: FrameId | None = None


ClientFrame = Hello | SearchFrame | Cancel | Watch | Ping | Follow | MarkFrame | UndoFrame | RedoFrame


class _FromServer(msgspec.Struct, frozen=True, kw_only=True, tag_field="op"):
    """What a client may get."""


class Welcome(_FromServer, frozen=True, tag="welcome"):
    """`seq` is the place from which to resume before any other frame has come."""

    session: str
    seq: str
    recovered: bool


class Accepted(_FromServer, frozen=True, tag="accepted"):
    """`position` jobs were in the lane before it."""

    id: str
    job: str
    position: int | msgspec.UnsetType = msgspec.UNSET


class Happened(_FromServer, frozen=True, tag="event"):
    """A job changed its state, or its place in the queue: `position` jobs of its lane wait before it.

    `id` is null for jobs that came without one. A running job that takes long has a `stage`; an ingest tells how many
    of its files are done, and of a video how many seconds.
    """

    id: str | None
    seq: str
    job: str
    state: State
    at: str | None = None
    position: int | msgspec.UnsetType = msgspec.UNSET
    stage: Stage | msgspec.UnsetType = msgspec.UNSET
    done: int | msgspec.UnsetType = msgspec.UNSET
    total: int | msgspec.UnsetType = msgspec.UNSET


class Result(_FromServer, frozen=True, tag="result", omit_defaults=True):
    """A job's one terminal frame, with either its result or its error."""

    id: str | None
    seq: str
    job: str
    state: State
    result: Any = None
    error: Problem | None = None


class Refused(_FromServer, frozen=True, tag="error"):
    """A frame that was not accepted; the socket stays open."""

    id: str | None
    error: Problem
    job: str | None = None


class Pong(_FromServer, frozen=True, tag="pong", omit_defaults=True):
    id: str | None = None


class Pulse(_FromServer, frozen=True, tag="pulse"):
    """Something happened: what was read before is out of date. At most two a second."""


class MarkedFrame(Marked, frozen=True, kw_only=True, tag_field="op", tag="marked"):
    """The answer to a change of what the session holds."""

    id: str | None = None


class SessionFrame(_FromServer, frozen=True, tag="session"):
    """What the connection's session holds in a collection has changed, through whomever of its team.

    `session` is the one that holds the marks, the connection's own or its team's; `by` names the member, null is who
    uses the team's session itself. `changes` take the revision before to `revision`, in their order; null when they are
    too many: read the session then. Without a collection a member joined, or the connection's own session has `ended`:
    nothing can be asked in it any more, and who connects again without it gets another.
    """

    session: str
    seq: str
    at: str | None = None
    collection: str | None = None
    revision: int | None = None
    by: str | None = None
    changes: list[SetChange] | None = None
    ended: bool | msgspec.UnsetType = msgspec.UNSET


ServerFrame = Welcome | Accepted | Happened | Result | Refused | Pong | Pulse | MarkedFrame | SessionFrame


class _Named(msgspec.Struct):
    id: FrameId | None = None


def decode(text: str) -> ClientFrame:
    """Raises BadRequest for what is no JSON, Invalid for what is no frame."""
    frame: ClientFrame = bodies.decode(text.encode(), ClientFrame)
    return frame


def encode(frame: ServerFrame) -> bytes:
    return msgspec.json.encode(frame)


def id_in(text: str) -> str | None:
    """The id of a frame that could not be read otherwise, so that its error can be told apart."""
    try:
        return msgspec.json.decode(text, type=_Named).id
    except (msgspec.DecodeError, RecursionError):
        return None
