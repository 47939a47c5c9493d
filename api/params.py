"""What may stand in a query string, typed and strict."""

from typing import Annotated, Any, Literal, TypeVar

import msgspec
from starlette.requests import Request

from shared.errors import BadRequest, Invalid
from shared.jobs import Around, Name, StepS
from shared.problems import from_validation
from shared.selection import Criteria, Cursor
from shared.steps import Span

MAX_IDEMPOTENCY_KEY = 128

Wait = Annotated[float, msgspec.Meta(ge=0, le=30, description="seconds to wait for the job's end")]


# A tenant's name, or `*` for all of them.
Tenants = Annotated[str, msgspec.Meta(pattern=r"^(\*|[a-z0-9][a-z0-9_-]{0,62})(?!\n)$")]


class NoParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """No query string."""


class WaitParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    wait: Wait = 0.0


class IngestParams(WaitParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`video_step_s`: seconds between two pictures of a video, 0: one of each shot; without it the workers' setting."""

    video_step_s: StepS | None = None


class JobParams(WaitParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`tenant` is for operators: whose job it is."""

    tenant: Name | None = None


class TenantParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`tenant` is for operators: whose jobs."""

    tenant: Name | None = None


class CountParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`tenant` is for operators: whose jobs; `*` are all tenants."""

    tenant: Tenants | None = None


class TenantsParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`after` is an earlier page's `next`."""

    after: Name | None = None


class SpanParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far to look back."""

    span: Span = "1h"


class JobsParams(Criteria, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`q` is the beginning of a job's id, or words of its query; `error` the type of the problem that it ended with;
    `before` is an earlier page's `next`; `tenant` is for operators, `*` are all tenants.
    """

    tenant: Tenants | None = None
    before: Cursor | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 50


class SessionParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`collection`: show what the session holds there."""

    collection: Name | None = None


class SessionsParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`before` is an earlier page's `next`."""

    before: Annotated[str, msgspec.Meta(pattern=r"^[1-9]\d{0,15}(?!\n)$")] | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 50


class HistoryParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 50


class AuditParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`before` is an earlier page's `next`."""

    before: Annotated[str, msgspec.Meta(pattern=r"^[1-9]\d{0,14}-\d{1,15}$")] | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 50


class MediaParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    size: Literal["thumb", "full"] = "thumb"


class NeighboursParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many items before and after."""

    before: Around = 3
    after: Around = 3


Params = TypeVar("Params", bound=msgspec.Struct)


def read(request: Request[Any], kind: type[Params]) -> Params:
    """Raises Invalid, naming the parameter, for bad, unknown and repeated ones."""
    pairs = request.query_params.multi_items()
    given = dict(pairs)
    if len(given) < len(pairs):
        raise Invalid("a parameter is given twice")
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        raise from_validation(error) from error


def wait_s(request: Request[Any], *, most_s: float) -> float:
    """Seconds of `?wait=`; 0 without it. Raises Invalid when it is more than the setting allows."""
    return bounded(read(request, WaitParams).wait, most_s=most_s)


def bounded(wait: float, *, most_s: float) -> float:
    """Raises Invalid when it is more than the setting allows."""
    if wait > most_s:
        raise Invalid(f"at most {most_s:g} seconds", field="wait")
    return wait


def idempotency_key(request: Request[Any]) -> str | None:
    """The Idempotency-Key header. Raises BadRequest for one that is too long or not plain ASCII."""
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    if not 1 <= len(key) <= MAX_IDEMPOTENCY_KEY or not key.isascii() or not key.isprintable():
        raise BadRequest(f"Idempotency-Key has 1 to {MAX_IDEMPOTENCY_KEY} printable ASCII characters")
    return key
