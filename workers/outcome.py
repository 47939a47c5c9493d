"""What the worker remembers of a running job, and which state its end means."""

import random
from dataclasses import dataclass

from arq.worker import Retry

from shared.errors import Problem, Unavailable
from shared.jobs import Kind, Lane, State, Took

# Exponential backoff with full jitter, as in "Exponential Backoff and Jitter" (Brooker, AWS Architecture Blog, 2015).
BACKOFF_BASE_S = 0.5
BACKOFF_CAP_S = 20.0

STATE_OF: dict[str, State] = {
    "cancelled": "cancelled",
    "superseded": "superseded",
    "expired": "expired",
    "worker-lost": "dead",
}


@dataclass(slots=True, kw_only=True)
class Running:
    """One claimed job. `deadline` is on the monotonic clock; past it the lease is not renewed."""

    job_id: str
    lane: Lane
    deadline: float
    took: Took | None = None
    retry_in_s: float = 0.0
    stopping: bool = False


def backoff_s(attempt: int) -> float:
    """Seconds before the next attempt, drawn from 0 up to an exponentially growing cap."""
    return random.uniform(0, min(BACKOFF_CAP_S, BACKOFF_BASE_S * 2**attempt))  # noqa: S311 - jitter, no secret


def to_raise(error: Exception, *, kind: Kind, attempt: int, max_tries: int, running: Running | None) -> Exception:
    """What arq should see: Retry for a background job whose store or device is away, else the error itself.

    A person waits for everything but `ingest`; telling at once that the store is away helps more than silence.
    """
    if kind != "ingest" or not isinstance(error, Unavailable) or attempt >= max_tries:
        return error
    delay_s = backoff_s(attempt)
    if running is not None:
        running.retry_in_s = delay_s
    return Retry(defer=delay_s)


def final_state(problem: Problem | None) -> State:
    """The state of a job that ended with this problem, or without one."""
    return "succeeded" if problem is None else STATE_OF.get(problem.type, "failed")
