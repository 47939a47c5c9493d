"""arq's worker, woken instead of polling, with leases instead of long locks.

Subclasses arq 0.28's `Worker`: `_poll_iteration`, `finish_job` and `finish_failed_job` are replaced, `run_job` is arq's
own. docs/arq.md lists what stays the same on the wire.
"""

import asyncio
import logging
import random
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import Any

import arq.worker
import msgspec
from arq.connections import ArqRedis
from arq.worker import Function

from shared import keys, logs, scripts, wire
from shared.connection import AWAY, BLOCK_S
from shared.errors import Cancelled, Expired, Problem, Superseded
from shared.jobs import LANES, Lane
from shared.settings import Settings
from workers.lease import LeaseKeeper
from workers.outcome import Running, final_state

logger = logging.getLogger(__name__)

# Covers lost wake-ups, deferred jobs that fall due and leases that lapse.
FALLBACK_S = 0.5
CLAIM_AT_MOST = 64
FINISH_TRIES = 8
# arq cancels a job at its timeout; the lease outlives that by what the cancelling may take.
GRACE_S = 2.0


class Worker(arq.worker.Worker):
    """Takes jobs from all lanes of one Redis. `functions` are arq functions, named after the kinds of job."""

    def __init__(
        self,
        functions: Sequence[Function],
        *,
        redis: ArqRedis,
        blocking: ArqRedis,
        settings: Settings,
        worker_id: str,
        ctx: dict[Any, Any] | None = None,
        lanes: Sequence[Lane] = LANES,
        burst: bool = False,
    ) -> None:
        super().__init__(
            functions,
            redis_pool=redis,
            queue_name=keys.queue(lanes[0]),
            ctx=ctx,
            burst=burst,
            poll_delay=0,
            max_jobs=settings.max_jobs + settings.max_bulk_jobs,
            job_timeout=settings.search_timeout_s,
            keep_result=settings.keep_result_s,
            max_tries=settings.max_tries,
            job_serializer=wire.encode,
            job_deserializer=wire.decode,
            handle_signals=False,
            log_results=False,
        )
        self.settings = settings
        self.worker_id = worker_id
        self.lanes = tuple(lanes)
        self.blocking = blocking
        self.running: dict[str, Running] = {}
        self.ctx["running"] = self.running
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._scripts = {name: redis.register_script(scripts.source(name)) for name in ("claim", "finish", "release")}
        self._lease = LeaseKeeper(
            settings.redis_url,
            worker_id=worker_id,
            lease_s=settings.lease_s,
            running=self.running.values,
            stop=lambda job_id, why: self._from_thread(job_id, why),
        )

    async def main(self) -> None:
        """Run until cancelled, or in burst mode until the first lane is empty."""
        self._lease.start()
        listeners = [asyncio.create_task(self._listen_wake()), asyncio.create_task(self._listen_control())]
        try:
            await super().main()
        finally:
            await _cancel_all(listeners)

    async def drain(self) -> None:
        """Take no more jobs, give the running ones `drain_s`, hand the rest back to the queue."""
        self.allow_pick_jobs = False
        if self.tasks:
            logger.info("draining: %d jobs still run", len(self.tasks))
            await asyncio.wait(list(self.tasks.values()), timeout=self.settings.drain_s)
        for task in self.tasks.values():
            task.cancel()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)
        if self.main_task is not None:
            await _cancel_all([self.main_task])

    async def close(self) -> None:
        """Stop renewing leases; the connections belong to whoever opened them."""
        await asyncio.to_thread(self._lease.close)

    # -- taking jobs

    async def _poll_iteration(self) -> None:
        self._wake.clear()
        try:
            await self._claim()
        except AWAY as error:
            logger.warning("no jobs can be taken, Redis does not answer: %s", error)
            await asyncio.sleep(random.uniform(0, FALLBACK_S))  # noqa: S311 - spreads the workers' return
        with suppress(TimeoutError):
            async with asyncio.timeout(FALLBACK_S):
                await self._wake.wait()

    def _free(self, lane: Lane) -> int:
        limit = self.settings.max_bulk_jobs if lane == "bulk" else self.settings.max_jobs
        return limit - sum(one.lane == lane for one in self.running.values())

    async def _claim(self) -> None:
        wanted = {lane: min(self._free(lane), CLAIM_AT_MOST) for lane in self.lanes}
        if not self.allow_pick_jobs or max(wanted.values()) <= 0:
            self._room.clear()
            return
        kept = [self.settings.keep_events, int(self.settings.keep_jobs_s), self.settings.keep_jobs]
        problems = [wire.encode(error.problem()) for error in (Expired(), Cancelled(), Superseded())]
        pairs = [part for lane, count in wanted.items() for part in (lane, count)]
        found = await self._scripts["claim"](
            keys=[keys.queue(lane) for lane in wanted],
            args=[self.worker_id, int(self.settings.lease_s * 1000), *kept, *problems, *pairs],
        )
        for job_id, score, lane in zip(found[::3], found[1::3], found[2::3], strict=True):
            self._start(job_id.decode(), int(float(score)), lane.decode())
        if len(found) // 3 >= CLAIM_AT_MOST:
            self._wake.set()
        self._room.set()

    def _start(self, job_id: str, score: int, lane: Lane) -> None:
        if job_id in self.running:
            logger.warning("the lease of %s had lapsed while it ran here; nobody else had taken it", job_id)
            return
        timeout_s = self.settings.ingest_timeout_s if lane == "bulk" else self.settings.search_timeout_s
        self.running[job_id] = Running(job_id=job_id, lane=lane, deadline=monotonic() + timeout_s + GRACE_S)
        task = self.loop.create_task(self._run(job_id, score))
        self.tasks[job_id] = task
        task.add_done_callback(partial(self._ended, job_id))

    async def _run(self, job_id: str, score: int) -> None:
        with logs.about(job=job_id):
            try:
                await self.run_job(job_id, score)
            except AWAY as error:
                # Its lease lapses, then it runs again here or elsewhere.
                logger.warning("lost Redis in the middle of the job: %s", error)

    def _ended(self, job_id: str, task: asyncio.Task[Any]) -> None:
        self.running.pop(job_id, None)
        self.tasks.pop(job_id, None)
        self.aborting_tasks.discard(job_id)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("the job broke the worker's own code", exc_info=error)
        self._wake.set()

    # -- being woken and told to stop

    async def _listen_wake(self) -> None:
        while True:
            await self._room.wait()
            try:
                token = await self.blocking.blpop([keys.WAKE], timeout=BLOCK_S)
                if token is None:
                    continue
                if self.allow_pick_jobs and max(self._free(lane) for lane in self.lanes) > 0:
                    self._wake.set()
                else:
                    # Not for us, who are full: pass the token on.
                    self._room.clear()
                    await self.pool.lpush(keys.WAKE, *token[1:])
            except AWAY:
                await asyncio.sleep(FALLBACK_S)

    async def _listen_control(self) -> None:
        while True:
            try:
                async with self.blocking.pubsub() as channel:
                    await channel.subscribe(keys.CONTROL)
                    while True:
                        message = await channel.get_message(ignore_subscribe_messages=True, timeout=BLOCK_S)
                        if message is not None:
                            self.stop_job(message["data"].decode(), "asked to")
            except AWAY:
                # What is missed here arrives with the next renewal of the lease.
                await asyncio.sleep(FALLBACK_S)

    def _from_thread(self, job_id: str, why: str) -> None:
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.stop_job, job_id, why)

    def stop_job(self, job_id: str, why: str) -> None:
        """Cancel a job that runs here; one that does not is no error."""
        running, task = self.running.get(job_id), self.job_tasks.get(job_id)
        if running is None or running.stopping or task is None:
            return
        running.stopping = True
        logger.info("stopping job %s: %s", job_id, why)
        self.aborting_tasks.add(job_id)
        task.cancel()

    # -- ending jobs

    async def finish_job(
        self,
        job_id: str,
        finish: bool,
        result_data: bytes | None,
        result_timeout_s: float | None,
        keep_result_forever: bool,
        incr_score: int | None,
        keep_in_progress: float | None,
    ) -> None:
        """The seam that every path of arq's `run_job` crosses: end the job, or hand it back."""
        running = self.running[job_id]
        if finish:
            await self._finish(running, result_data)
            return
        delay_ms = int(running.retry_in_s * 1000)
        uncounted = "0" if incr_score is not None else "1"
        args = [job_id, self.worker_id, delay_ms, uncounted, self.settings.keep_events]
        await self._write("release", running, args)

    async def finish_failed_job(self, job_id: str, result_data: bytes | None) -> None:
        """Jobs that arq could not start: no body, unknown function, too many tries."""
        await self._finish(self.running[job_id], result_data)

    async def _finish(self, running: Running, result_data: bytes | None) -> None:
        problem = _problem(result_data)
        args = [
            running.job_id,
            self.worker_id,
            final_state(problem),
            result_data or b"",
            int(self.settings.keep_result_s * 1000),
            wire.encode(problem) if problem is not None else b"",
            wire.encode(running.took) if running.took is not None else b"",
            int(self.settings.keep_jobs_s),
            self.settings.keep_events,
            wire.encode(Superseded().problem()),
        ]
        await self._write("finish", running, args)

    async def _write(self, script: str, running: Running, args: list[Any]) -> None:
        """Tell Redis how the job ended, over a short outage too: the work is done, only the telling is left."""
        for attempt in range(FINISH_TRIES):
            try:
                ours = await self._scripts[script](keys=[keys.queue(running.lane)], args=args)
            except AWAY as error:
                logger.warning("the end of the job is not recorded yet: %s", error)
                await asyncio.sleep(min(2.0, 0.1 * 2**attempt))
                continue
            if not ours:
                logger.warning("the lease was lost, this worker's result is dropped")
            return
        logger.error("the end of the job could not be recorded; it runs again when its lease has lapsed")


async def _cancel_all(tasks: Sequence[asyncio.Task[Any]]) -> None:
    """Cancel until all have ended: a timeout inside redis-py 5 that ends just then swallows a cancellation."""
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=FALLBACK_S)


def _problem(result_data: bytes | None) -> Problem | None:
    """The problem in a failed job's envelope; None for a success."""
    if result_data is None:
        return Problem(type="internal-error", title="The result cannot be stored", status=500)
    envelope = wire.decode_envelope(result_data)
    if envelope.s:
        return None
    try:
        return msgspec.msgpack.decode(envelope.r, type=Problem)
    except msgspec.ValidationError:
        return Problem(type="internal-error", title="The result cannot be stored", status=500)
