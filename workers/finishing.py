"""Tells Redis how a job ended: its result, its failure, or that it shall be tried again; or that it goes on."""

import asyncio
import logging
from contextlib import suppress
from typing import Any

from shared import keys, scripts, wire
from shared.clock import now_ms
from shared.connection import redis_errors
from shared.errors import Problem, Unavailable
from shared.pipe import Pipe, Script
from shared.settings import Settings
from workers.execution import Ended
from workers.outcome import Running, final_state, may_be_retried, retry_in_s

logger = logging.getLogger(__name__)

TRIES = 8


class Finishing:
    """The scripts about a job that is held, in the name of one worker."""

    def __init__(self, pipe: Pipe, settings: Settings, *, worker_id: str) -> None:
        self.settings = settings
        self.worker_id = worker_id
        names = ("finish", "release", "go_on")
        self._scripts = {name: Script(pipe, scripts.source(name, settings)) for name in names}

    async def end(self, running: Running, ended: Ended) -> bool:
        """End the job. False when it will be tried again instead."""
        problem = ended.problem
        if problem is not None and running.lost:
            # Stopping this run ended it, not the job; and this worker may meanwhile hold the job again.
            await self.hand_back(running, counted=False)
            return False
        exhausted = False
        if problem is not None and may_be_retried(problem, running):
            delay_s = retry_in_s(running, self.settings, now_ms=now_ms())
            if delay_s is not None:
                logger.info("%s, attempt %d: tried again in %.2f s", problem.type, running.attempts, delay_s)
                await self.hand_back(running, delay_s=delay_s, problem=problem)
                return False
            exhausted = True
        await self._write("finish", running, self._ending(running, ended, exhausted=exhausted))
        return True

    async def hand_back(
        self,
        running: Running,
        *,
        delay_s: float = 0.0,
        problem: Problem | None = None,
        counted: bool = True,
        lane: str | None = None,
    ) -> None:
        """Put the job back into its lane, or into another; `problem` is what the attempt failed with."""
        told = wire.encode(problem) if problem is not None else b""
        due_in_ms, free = int(max(0.0, delay_s) * 1000), "0" if counted else "1"
        args = [running.job_id, self.worker_id, due_in_ms, free, told, lane or running.lane]
        await self._write("release", running, args)

    async def go_on(self, running: Running) -> None:
        """A job that was claimed again while it ran here: the claim was no attempt, and its attempts are as before."""
        args = [running.job_id, self.worker_id, running.attempts, running.crashes, running.tries]
        # Otherwise it counts one start too many, and that is all.
        with suppress(Unavailable), redis_errors():
            await self._scripts["go_on"](keys=[keys.record(running.job_id)], args=args)

    def _ending(self, running: Running, ended: Ended, *, exhausted: bool) -> list[Any]:
        problem = ended.problem
        return [
            running.job_id,
            self.worker_id,
            final_state(problem, exhausted=exhausted),
            ended.envelope,
            int(self.settings.keep_result_s * 1000),
            wire.encode(problem) if problem is not None else b"",
            wire.encode(running.took) if running.took is not None else b"",
        ]

    async def _write(self, script: str, running: Running, args: list[Any]) -> None:
        """Over a short outage too: the work is done, only the telling is left."""
        for attempt in range(TRIES):
            try:
                with redis_errors():
                    ours = await self._scripts[script](keys=[keys.queue(running.lane)], args=args)
            except Unavailable as error:
                logger.warning("the end of the job is not recorded yet: %s", error)
                await asyncio.sleep(min(2.0, 0.1 * 2**attempt))
                continue
            if not ours:
                logger.warning("the lease was lost, this worker's result is dropped")
            return
        logger.error("the end of the job could not be recorded; it runs again when its lease has lapsed")
