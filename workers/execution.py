"""Runs one claimed job: reads its body, calls its function as arq does, and says how it ended.

Takes the place of arq 0.28's `run_job`, with its ctx, `Retry`, timeouts and result envelope, but in one task a job and
without asking Redis again for what the claim has brought.
"""

import asyncio
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from arq.worker import Function, JobExecutionFailed, Retry, RetryJob

from shared import keys, wire
from shared.clock import now_ms
from shared.errors import Problem
from shared.lanes import lane_name, urgency_of
from workers.device_trouble import DeviceFailed
from workers.other_model import OtherModel
from workers.outcome import Running

logger = logging.getLogger(__name__)


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """The job's arq envelope, and the problem in it when the job failed."""

    envelope: bytes
    problem: Problem | None = None


class Again(msgspec.Struct, frozen=True, kw_only=True):
    """The job shall run again, in another `lane` if that is said; `counted` when this attempt was one."""

    delay_s: float = 0.0
    counted: bool = True
    lane: str | None = None


class Execution:
    """Calls arq functions by name. `ctx` is what all jobs share; each call gets a copy with its own job's fields."""

    def __init__(
        self, functions: Mapping[str, Function], ctx: Mapping[Any, Any], *, timeout_s: float, max_tries: int
    ) -> None:
        self._functions = functions
        self._ctx = ctx
        self._timeout_s = timeout_s
        self._max_tries = max_tries

    async def run(self, running: Running) -> Ended | Again:
        """Run the job to its end; its function's errors are part of the answer, and so is being stopped."""
        started_ms = now_ms()
        body = wire.JobBody()
        try:
            body = wire.decode_body(running.body)
            result = await self._call(running, body)
        except (Retry, RetryJob) as error:
            return Again(delay_s=(getattr(error, "defer_score", None) or 0) / 1000)
        except DeviceFailed as error:
            # What the device had when it failed may be why: that was a try, and tries are counted.
            return Again(counted=error.on_device)
        except OtherModel as error:
            return Again(counted=False, lane=lane_name(urgency_of(running.lane), error.model_name))
        except asyncio.CancelledError as error:
            if not running.stopping:
                return Again(counted=False)
            return _ended(running, body, error, started_ms)
        except Exception as error:  # noqa: BLE001 - whatever a job raises becomes its problem
            if isinstance(error, JobExecutionFailed):
                logger.warning("the job was not started: %s", error)
            return _ended(running, body, error, started_ms)
        return _ended(running, body, result, started_ms)

    async def _call(self, running: Running, body: wire.JobBody) -> Any:
        function = self._functions.get(body.f)
        if function is None:
            raise JobExecutionFailed(f"function {body.f!r} not found")
        tries = max(running.tries, body.t or 1)
        most = self._max_tries if function.max_tries is None else function.max_tries
        if tries > most:
            raise JobExecutionFailed(f"max {most} retries exceeded")
        ctx = {
            **self._ctx,
            "job_id": running.job_id,
            "job_try": tries,
            "enqueue_time": datetime.fromtimestamp(body.et / 1000, UTC),
            "score": running.due_ms,
        }
        running.task = asyncio.current_task()
        running.timeout_s = self._timeout_s if function.timeout_s is None else function.timeout_s
        try:
            async with asyncio.timeout(running.timeout_s) as running.limit:
                return await function.coroutine(ctx, *body.a, **body.k)
        finally:
            running.task = running.limit = None


def _ended(running: Running, body: wire.JobBody, result: Any, started_ms: int) -> Ended:
    """arq's envelope (jobs.py, `serialize_result`). What cannot be written becomes a problem."""
    problem = wire.problem_in(result) if isinstance(result, BaseException) else None
    envelope: dict[str, Any] = {
        "t": running.tries,
        "f": body.f,
        "a": (),
        "k": {},
        "et": body.et,
        "s": problem is None,
        "r": result if problem is None else problem,
        "st": started_ms,
        "ft": now_ms(),
        "q": keys.queue(running.lane),
        "id": running.job_id,
    }
    try:
        return Ended(envelope=wire.encode(envelope), problem=problem)
    except (TypeError, NotImplementedError, ValueError, OverflowError) as error:
        logger.exception("the result of %s cannot be stored", body.f)
        return _ended(running, body, error, started_ms)
