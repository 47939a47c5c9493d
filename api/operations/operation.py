"""What the table of operations is made of, and the errors that many of them share."""

from typing import Any

import msgspec

from api import params
from api.submission import Accepted
from shared import errors
from shared.errors import CliplineError
from shared.jobs import JobView

Error = type[CliplineError]

JSON = "application/json"
MULTIPART = "multipart/form-data"


class Plain(msgspec.Struct, frozen=True):
    """An answer that is no JSON, of one of these media types."""

    text: str
    media_types: tuple[str, ...]


class Upload(msgspec.Struct, frozen=True):
    """Described by hand in the document: JSON schema has no word for a file."""


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One method of one path. `answers` maps a status to its type; `errors` are those beyond what all may give."""

    method: str
    path: str
    summary: str
    tag: str
    params: type[msgspec.Struct] = params.NoParams
    body: dict[str, Any] = {}
    body_required: bool = True
    answers: dict[int, Any]
    errors: tuple[Error, ...] = ()
    headers: tuple[str, ...] = ()
    open: bool = False


READING: tuple[Error, ...] = (errors.Invalid, errors.QueueAway)
WRITING: tuple[Error, ...] = (*READING, errors.Forbidden)
BODY: tuple[Error, ...] = (errors.BadRequest, errors.RequestTimeout, errors.TooLarge, errors.UnsupportedMediaType)
ENQUEUED = {202: Accepted, 200: JobView}
ADMISSION: tuple[Error, ...] = (errors.QueueFull, errors.TenantBusy, errors.RateLimited)
IDEMPOTENT = ("Idempotency-Key",)
OF_SESSION: tuple[Error, ...] = (*READING, errors.SessionNotFound)
# A job that a route waits for may have ended for any of these.
ENDED: tuple[Error, ...] = (errors.InternalError, errors.Expired, errors.ModelMismatch)
