"""What the API refused, as the errors of `shared.errors`; and those that only a client meets.

CliplineError
├── Unreachable   the server does not answer
├── NoAnswer      no end of the job within the caller's time
└── Closed        the client was closed
"""

import httpx
import msgspec

from shared import errors
from shared.errors import CliplineError, Problem
from shared.jobs import JobView, State

# Busy or away, told by a server or by the proxy before it.
PASSING = frozenset({429, 502, 503, 504})


class Unreachable(CliplineError):
    """`status` 0: no server was involved."""

    status, slug, title = 0, "unreachable", "The server does not answer"
    retryable = True


class NoAnswer(CliplineError):
    status, slug, title = 0, "no-answer", "The job did not end in time"
    retryable = True


class Closed(CliplineError):
    status, slug, title = 0, "closed", "The client was closed"


def _tree() -> dict[str, type[CliplineError]]:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, CliplineError)]
    return {kind.slug: kind for kind in kinds}


BY_SLUG = _tree()
# For a slug that this version does not know: what a caller would have caught it by.
BY_STATUS: dict[int, type[CliplineError]] = {
    **{kind.status: kind for kind in (errors.BadRequest, errors.Unauthorized, errors.Forbidden, errors.NotFound)},
    **{kind.status: kind for kind in (errors.MethodNotAllowed, errors.Conflict, errors.TooLarge)},
    **{kind.status: kind for kind in (errors.UnsupportedMediaType, errors.Invalid, errors.TooManyRequests)},
    **dict.fromkeys((502, 503, 504), errors.Unavailable),
}


def error_of(problem: Problem) -> CliplineError:
    """The error that the API raised."""
    kind = BY_SLUG.get(problem.type) or BY_STATUS.get(problem.status, CliplineError)
    return kind(problem.detail or problem.title, field=problem.field, retry_after_s=problem.retry_after_s)


def failure_of(response: httpx.Response) -> CliplineError:
    """Why a request was refused; a proxy in between may have answered with a page of its own."""
    try:
        return error_of(msgspec.json.decode(response.content, type=Problem))
    except msgspec.MsgspecError:
        title = f"{response.url} answered {response.status_code} {response.reason_phrase}".rstrip()
    return error_of(Problem(type="", title=title, status=response.status_code, retry_after_s=_retry_after_s(response)))


def why(state: State, problem: Problem | None) -> CliplineError | None:
    """Why a job that ended has no result; None for one that has."""
    if state == "succeeded" and problem is None:
        return None
    return error_of(problem or Problem(type=state, title=f"The job ended as {state}", status=500))


def failed(job: JobView) -> CliplineError | None:
    return why(job.state, job.error)


def succeeded(job: JobView) -> JobView:
    """The job, when it has a result. Raises CliplineError with why it has none."""
    error = failed(job)
    if error is not None:
        raise error
    return job


def _retry_after_s(response: httpx.Response) -> int | None:
    text = response.headers.get("Retry-After", "")
    return int(text) if text.isdecimal() else None
