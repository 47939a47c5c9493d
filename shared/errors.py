"""Errors a client may see, and their RFC 9457 form.

CliplineError                    500
├── BadRequest                   400  malformed JSON or header
├── Unauthorized                 401  no key, or one that is not known
├── Forbidden                    403  the key's role does not allow it
├── NotFound                     404
│   ├── JobNotFound  CollectionNotFound  ItemNotFound  SessionNotFound  LaneNotFound  WorkerNotFound
├── MethodNotAllowed             405
├── RequestTimeout               408  the body did not arrive in time
├── Conflict                     409
│   ├── CollectionDiffers  ReindexRunning  JobFinished  JobStillOpen  JobNotRetryable  KeyReused  ModelMismatch
│   ├── NothingToContinue  NothingToUndo  SessionFull
├── TooLarge                     413
├── UnsupportedMediaType         415
├── Invalid                      422  valid JSON that says something wrong; names the field
│   ├── BadPicture  PictureTooLarge  BadVideo  VideoTooLarge  NotVisible
├── TooManyRequests              429  a bound of the caller's own; has Retry-After
│   ├── TenantBusy  RateLimited  TooManySessions
├── Unavailable                  503  comes back by itself; has Retry-After
│   ├── QueueFull  QueueAway  StoreAway  EncoderAway
└── JobEnded                     500  why a job ended without a result
    ├── Cancelled  Superseded  Expired  TimedOut  WorkerLost  InternalError
"""

from typing import ClassVar

import msgspec


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Problem details as RFC 9457 defines them; `type` is a reference relative to the API's own documentation."""

    type: str
    title: str
    status: int
    detail: str = ""
    field: str | None = None
    retryable: bool | None = None
    retry_after_s: int | None = None


class CliplineError(Exception):
    """Base of every error raised on purpose; its text is shown to clients."""

    status: ClassVar[int] = 500
    slug: ClassVar[str] = "internal-error"
    title: ClassVar[str] = "Something went wrong on our side"
    retryable: ClassVar[bool] = False

    def __init__(self, detail: str = "", *, field: str | None = None, retry_after_s: int | None = None) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.field = field
        self.retry_after_s = retry_after_s

    def problem(self) -> Problem:
        return Problem(
            type=self.slug,
            title=self.title,
            status=self.status,
            detail=self.detail,
            field=self.field,
            retryable=self.retryable,
            retry_after_s=self.retry_after_s,
        )


class BadRequest(CliplineError):
    """The bytes are not what the content type promises."""

    status, slug, title = 400, "bad-request", "The request is malformed"


class Unauthorized(CliplineError):
    status, slug, title = 401, "unauthorized", "A valid API key is needed"


class Forbidden(CliplineError):
    status, slug, title = 403, "forbidden", "This key does not allow that"


class NotFound(CliplineError):
    status, slug, title = 404, "not-found", "There is nothing here"


class JobNotFound(NotFound):
    slug, title = "job-not-found", "No such job"


class CollectionNotFound(NotFound):
    slug, title = "collection-not-found", "No such collection"


class ItemNotFound(NotFound):
    slug, title = "item-not-found", "No such item"


class SessionNotFound(NotFound):
    slug, title = "session-not-found", "No such session, or it has ended"


class LaneNotFound(NotFound):
    slug, title = "lane-not-found", "No such queue"


class WorkerNotFound(NotFound):
    slug, title = "worker-not-found", "No such worker, or it is gone"


class MethodNotAllowed(CliplineError):
    status, slug, title = 405, "method-not-allowed", "This address does not take that method"


class RequestTimeout(CliplineError):
    """The connection is closed after the answer."""

    status, slug, title = 408, "request-timeout", "The request did not arrive in time"
    retryable = True


class Conflict(CliplineError):
    status, slug, title = 409, "conflict", "The current state does not allow that"


class CollectionDiffers(Conflict):
    slug, title = "collection-differs", "A collection of that name exists with other settings"


class ReindexRunning(Conflict):
    slug, title = "reindex-running", "The collection is being reindexed"


class JobFinished(Conflict):
    slug, title = "job-finished", "The job has already ended"


class JobStillOpen(Conflict):
    slug, title = "job-still-open", "The job has not ended"


class JobNotRetryable(Conflict):
    slug, title = "job-not-retryable", "The job cannot be run again"


class KeyReused(Conflict):
    slug, title = "idempotency-key-reused", "That Idempotency-Key came with another body before"


class ModelMismatch(Conflict):
    slug, title = "model-mismatch", "The collection was made with another model"


class NothingToContinue(Conflict):
    slug, title = "nothing-to-continue", "There is no query that could go on"


class NothingToUndo(Conflict):
    slug, title = "nothing-to-undo", "There is no change to take back or to do again"


class SessionFull(Conflict):
    slug, title = "session-full", "The session holds no more of that"


class TooLarge(CliplineError):
    status, slug, title = 413, "too-large", "The request is larger than allowed"


class UnsupportedMediaType(CliplineError):
    status, slug, title = 415, "unsupported-media-type", "This content type is not understood here"


class Invalid(CliplineError):
    """Valid JSON that says something wrong."""

    status, slug, title = 422, "invalid", "The request says something that cannot be done"


class BadPicture(Invalid):
    slug, title = "bad-picture", "That is not a picture that can be read"


class PictureTooLarge(BadPicture):
    slug, title = "picture-too-large", "The picture has more bytes or pixels than allowed"


class BadVideo(Invalid):
    slug, title = "bad-video", "That is not a video that can be read"


class VideoTooLarge(BadVideo):
    slug, title = "video-too-large", "The video has more bytes, or larger frames, than allowed"


class NotVisible(Invalid):
    slug, title = "not-visible", "The workers do not see that file"


class TooManyRequests(CliplineError):
    status, slug, title = 429, "too-many-requests", "Too much at once"
    retryable = True


class TenantBusy(TooManyRequests):
    slug, title = "tenant-busy", "Too many jobs of yours have not ended yet"


class RateLimited(TooManyRequests):
    slug, title = "rate-limited", "You submit jobs faster than allowed"


class TooManySessions(TooManyRequests):
    slug, title = "too-many-sessions", "You have as many sessions as you may"


class Unavailable(CliplineError):
    """Something that we need is away; it is expected back."""

    status, slug, title = 503, "unavailable", "Temporarily unavailable"
    retryable = True

    def __init__(self, detail: str = "", *, field: str | None = None, retry_after_s: int | None = 1) -> None:
        super().__init__(detail, field=field, retry_after_s=retry_after_s)


class QueueFull(Unavailable):
    slug, title = "queue-full", "More jobs are waiting than allowed"


class QueueAway(Unavailable):
    slug, title = "queue-away", "Redis does not answer"


class StoreAway(Unavailable):
    slug, title = "store-away", "The vector store does not answer"


class EncoderAway(Unavailable):
    slug, title = "encoder-away", "The encoder cannot take work"


class JobEnded(CliplineError):
    """Why a job ended without a result."""


class Cancelled(JobEnded):
    status, slug, title = 409, "cancelled", "The job was cancelled"


class Superseded(JobEnded):
    status, slug, title = 409, "superseded", "A newer search took this one's slot"


class Expired(JobEnded):
    status, slug, title = 504, "expired", "The deadline passed before the job could run"


class TimedOut(JobEnded):
    status, slug, title = 504, "timed-out", "The job ran longer than allowed"
    retryable = True


class WorkerLost(JobEnded):
    status, slug, title = 500, "worker-lost", "The workers that ran this job went away each time"
    retryable = True


class InternalError(JobEnded):
    """An unexpected exception in a worker; the details are in its log."""
