"""The one place where errors become HTTP: RFC 9457 problems."""

import logging
from typing import Any, cast

import msgspec
from redis import exceptions as redis_errors
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ExceptionHandler

from shared.errors import (
    BadRequest,
    CliplineError,
    InternalError,
    MethodNotAllowed,
    NotFound,
    Problem,
    QueueAway,
    QueueFull,
    RequestTimeout,
    TooManyRequests,
    Unauthorized,
    Unavailable,
)

logger = logging.getLogger(__name__)

TRY_LATER = frozenset({TooManyRequests.status, Unavailable.status})
PROBLEM_JSON = "application/problem+json"


def answer(problem: Problem, *, headers: dict[str, str] | None = None) -> Response:
    """A problem as a response; `Retry-After` and `WWW-Authenticate` follow from it."""
    headers = dict(headers or {})
    if problem.retry_after_s is not None:
        headers["Retry-After"] = str(problem.retry_after_s)
    if problem.status == RequestTimeout.status:
        # What still comes of the body must not be taken for a request.
        headers["Connection"] = "close"
    if problem.status == Unauthorized.status:
        headers["WWW-Authenticate"] = 'Bearer realm="clipline"'
    return Response(msgspec.json.encode(problem), status_code=problem.status, headers=headers, media_type=PROBLEM_JSON)


def unexpected(trace: str) -> Response:
    return answer(InternalError(f"the log has the details under {trace}").problem())


def from_redis(error: redis_errors.RedisError) -> CliplineError | None:
    """What a client should know of an error of Redis; None when it is a mistake of ours."""
    if isinstance(error, redis_errors.OutOfMemoryError):
        return QueueFull("Redis has no memory left")
    if isinstance(error, redis_errors.ConnectionError | redis_errors.TimeoutError | redis_errors.ReadOnlyError):
        return QueueAway(f"Redis does not answer: {error}")
    return None


async def _refused(request: Request, error: Exception) -> Response:
    problem = cast(CliplineError, error).problem()
    if problem.status in TRY_LATER:
        request.scope["state"]["metrics"].refuse(problem.type)
    logger.info("%s %s ✗ %d %s: %s", request.method, request.url.path, problem.status, problem.type, problem.detail)
    return answer(problem)


async def _redis_failed(request: Request, error: Exception) -> Response:
    known = from_redis(cast(redis_errors.RedisError, error))
    if known is None:
        raise error
    return await _refused(request, known)


async def _unrouted(request: Request, error: Exception) -> Response:
    """What the router itself refuses: no such address, no such method."""
    status, headers = cast(HTTPException, error).status_code, dict(cast(HTTPException, error).headers or {})
    if status == MethodNotAllowed.status:
        return answer(MethodNotAllowed(f"{request.method} is not allowed here").problem(), headers=headers)
    kind = NotFound if status == NotFound.status else BadRequest
    return answer(kind(cast(HTTPException, error).detail).problem(), headers=headers)


async def _gone(request: Request, error: Exception) -> Response:
    """Nobody reads this answer: the caller hung up in the middle of a body."""
    logger.info("%s %s ✗ the caller hung up", request.method, request.url.path)
    return answer(BadRequest("the body ended early").problem())


HANDLERS: dict[Any, ExceptionHandler] = {
    CliplineError: _refused,
    redis_errors.RedisError: _redis_failed,
    HTTPException: _unrouted,
    ClientDisconnect: _gone,
}
