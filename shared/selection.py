"""Which jobs an operator means, and what became of them; apart, so that the command line needs no Redis for it."""

from typing import Annotated, Literal

import msgspec

from shared.jobs import Kind, State

Verb = Literal["cancel", "replay", "purge"]
Cursor = Annotated[str, msgspec.Meta(pattern=r"^\d{1,15}-[^\x00-\x1f]{1,200}$")]


class Sweep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which jobs: those of one state, newest first. `before` is an earlier answer's `next`."""

    state: State | None = None
    kind: Kind | None = None
    q: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    before: Cursor | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 500


class Swept(msgspec.Struct, frozen=True, kw_only=True):
    """`done` jobs were changed; `skipped` had changed by themselves. With `next` there are more."""

    state: State
    done: int
    skipped: int
    next: str | None = None
