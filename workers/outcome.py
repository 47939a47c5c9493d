"""What the worker remembers of a running job, and what its end means: a state, or another try."""

import asyncio
import random
from dataclasses import dataclass
from time import monotonic
from typing import Any

from shared.clock import now_ms as clock_ms
from shared.errors import Problem
from shared.jobs import Lane, State, Took
from shared.lanes import urgency_of
from shared.settings import Settings

# Exponential backoff with full jitter, as in "Exponential Backoff and Jitter" (Brooker, AWS Architecture Blog, 2015).
# A person waits for what is interactive: there the first steps are short.
BACKOFF_BASE_S: dict[Lane, float] = {"interactive": 0.1, "bulk": 1.0}
BACKOFF_CAP_S = 30.0

STATE_OF: dict[str, State] = {
    "cancelled": "cancelled",
    "superseded": "superseded",
    "expired": "expired",
    "worker-lost": "dead",
}
# arq cancels a job at its timeout; the lease outlives that by what the cancelling may take.
GRACE_S = 2.0


@dataclass(slots=True, kw_only=True)
class Running:
    """One claimed job. `deadline` is on the monotonic clock; past it the lease is not renewed.

    `due_ms`, `first_ms` (its first start) and `expires_ms` (its client's deadline) are milliseconds since 1970;
    `attempts` counts starts, of which `crashes` lost their worker; `tries` is arq's count of them. `lost`: stopped, as
    another had it. `ended`: its code is through, only Redis is still to be told. `on_device`: the device has taken its
    query. `body` is arq's; `task` is there while the job's own code runs, and may be cancelled then; `limit` ends that
    code after `timeout_s`.
    """

    job_id: str
    lane: str
    due_ms: int
    first_ms: int
    attempts: int
    crashes: int
    expires_ms: int | None
    deadline: float
    took: Took | None = None
    stopping: bool = False
    lost: bool = False
    ended: bool = False
    on_device: bool = False
    body: bytes | None = None
    tries: int = 1
    task: asyncio.Task[Any] | None = None
    timeout_s: float = 0.0
    limit: asyncio.Timeout | None = None

    @property
    def urgency(self) -> Lane:
        return urgency_of(self.lane)

    def got_further(self) -> None:
        """A piece of a long job is stored: the times for a run and for trying again begin anew."""
        if self.limit is not None:
            self.limit.reschedule(asyncio.get_running_loop().time() + self.timeout_s)
            self.deadline = max(self.deadline, monotonic() + self.timeout_s + GRACE_S)
            self.first_ms = clock_ms()

    def taken_by_device(self) -> None:
        self.on_device = True


def backoff_s(attempt: int, lane: Lane) -> float:
    """Seconds before the next attempt, drawn from 0 up to an exponentially growing cap."""
    return random.uniform(0, min(BACKOFF_CAP_S, BACKOFF_BASE_S[lane] * 2**attempt))  # noqa: S311 - jitter, no secret


def retry_in_s(running: Running, settings: Settings, *, now_ms: int) -> float | None:
    """Seconds until the job is tried again; None when its attempts or its time are used up.

    The time counts from the first start. A client's deadline takes the place of the lane's default.
    """
    tries = running.attempts - running.crashes
    if tries >= settings.max_tries:
        return None
    budget_s = settings.ingest_retry_s if running.urgency == "bulk" else settings.search_retry_s
    ends_ms = running.expires_ms or running.first_ms + budget_s * 1000
    delay_s = backoff_s(tries, running.urgency)
    return delay_s if now_ms + delay_s * 1000 < ends_ms else None


def may_be_retried(problem: Problem | None, running: Running) -> bool:
    """Whether the same job could succeed later; crashes are counted elsewhere."""
    return problem is not None and problem.retryable is True and not running.stopping and problem.type not in STATE_OF


def final_state(problem: Problem | None, *, exhausted: bool = False) -> State:
    """The state of a job that ended with this problem, or without one; `exhausted` when its budget is used up."""
    if problem is None:
        return "succeeded"
    return STATE_OF.get(problem.type, "dead" if exhausted else "failed")
