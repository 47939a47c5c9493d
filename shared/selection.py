"""Which jobs an operator means, and what became of them; apart, so that the command line needs no Redis for it."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from shared.jobs import Kind, Name, State

Verb = Literal["cancel", "replay", "purge"]
Words = Annotated[str, msgspec.Meta(max_length=200)]
Chosen = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Moment = Annotated[datetime, msgspec.Meta(tz=True, description="of a job's creation, ISO 8601 with a time zone")]
Cursor = Annotated[str, msgspec.Meta(pattern=r"^\d{1,15}-[^\x00-\x1f]{1,200}$")]


class Criteria(msgspec.Struct, frozen=True, kw_only=True):
    """What a job must be, and when it came."""

    state: State | None = None
    kind: Kind | None = None
    collection: Words | None = None
    worker: Words | None = None
    error: Words | None = None
    q: Words | None = None
    since: Moment | None = None
    until: Moment | None = None


class Sweep(Criteria, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which jobs: those of one state that pass all the rest, newest first, or those of `ids` alone.

    `before` is an earlier answer's `next`; `tenant` is the caller's own when it is left out.
    """

    tenant: Name | None = None
    ids: Annotated[list[Chosen], msgspec.Meta(min_length=1, max_length=500)] | None = None
    before: Cursor | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 500


class Swept(msgspec.Struct, frozen=True, kw_only=True):
    """`done` jobs were changed; `skipped` had changed by themselves. With `next` there are more."""

    state: State
    done: int
    skipped: int
    next: str | None = None
