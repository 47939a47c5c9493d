"""arq's worker, woken instead of polling, with leases instead of long locks.

Subclasses arq 0.28's `Worker`: `main` is replaced, and instead of `run_job` a job runs through `Execution`.
docs/arq.md lists what stays the same on the wire.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any

import arq.worker
from arq.connections import ArqRedis
from arq.worker import Function

from shared import keys, logs, wire
from shared.connection import BLOCK_S
from shared.lanes import lane_name
from shared.model_names import DEFAULT_MODEL
from shared.pipe import Pipe
from shared.settings import Settings
from workers.claiming import Claims
from workers.execution import Again, Execution
from workers.finishing import Finishing
from workers.lease import LOST, LeaseKeeper
from workers.listening import Control
from workers.outcome import Running
from workers.taking import FALLBACK_S, Taking

logger = logging.getLogger(__name__)


class Worker(arq.worker.Worker):
    """Takes jobs from the lanes of its models. `functions` are arq functions, named after the kinds of job."""

    def __init__(
        self,
        functions: Sequence[Function],
        *,
        redis: ArqRedis,
        blocking: ArqRedis,
        settings: Settings,
        worker_id: str,
        ctx: dict[Any, Any] | None = None,
        places: Mapping[str, int] | None = None,
    ) -> None:
        """`places`: interactive jobs at once, of each model that it holds; without, as set of the default one."""
        self.places = _places(places or {DEFAULT_MODEL: settings.places}, bulk=settings.max_bulk_jobs)
        self.running: dict[str, Running] = {}
        super().__init__(
            functions,
            redis_pool=redis,
            queue_name=keys.queue(next(iter(self.places))),
            ctx=ctx,
            max_jobs=sum(self.places.values()),
            job_timeout=settings.search_timeout_s,
            keep_result=settings.keep_result_s,
            job_serializer=wire.encode,
            job_deserializer=wire.decode,
            handle_signals=False,
            log_results=False,
        )
        self.settings = settings
        self.worker_id = worker_id
        self.ctx["running"] = self.running
        self.drain_asked = asyncio.Event()
        self._serving: list[asyncio.Task[None]] = []
        self._telling: set[asyncio.Task[None]] = set()
        self._drained = asyncio.Event()
        self._pipe = Pipe(redis)
        self._execution = self._executing(functions)
        self._finishing = Finishing(self._pipe, settings, worker_id=worker_id)
        self._takings = {lane: self._taking(lane, Pipe(blocking, timeout_s=3 * BLOCK_S)) for lane in self.places}
        self._control = Control(blocking=blocking, worker_id=worker_id, stop=self.stop_job, drain=self.drain_asked.set)
        self._lease = self._leasing()

    async def main(self) -> None:
        """Run until drained or cancelled. Raises what broke the taking of jobs."""
        self.ctx["redis"] = self.pool
        self._lease.start()
        self._serving = [asyncio.create_task(one.serve()) for one in self._takings.values()]
        listening = asyncio.create_task(self._control.listen())
        try:
            await asyncio.gather(*(_ended(task) for task in self._serving))
            await self._drained.wait()
        finally:
            await _cancel_all([*self._serving, listening])

    def stop_taking(self) -> None:
        """From now on no job is taken; what is on its way is handed back."""
        self.allow_pick_jobs = False
        for one in self._takings.values():
            one.stop_picking()

    async def drain(self, *, within_s: float | None = None) -> None:
        """Take no more jobs, give the running ones `within_s` (`drain_s`), hand the rest back to the queue."""
        self.stop_taking()
        await asyncio.gather(*(one.stop(self._pipe) for one in self._takings.values()))
        if self._serving:
            _, stuck = await asyncio.wait(self._serving, timeout=2 * FALLBACK_S)
            await _cancel_all(list(stuck))
        if self.tasks:
            logger.info("draining: %d jobs still run", len(self.tasks))
        ends = self.loop.time() + (self.settings.drain_s if within_s is None else within_s)
        # A job that was claimed before may still start, when its run before has ended.
        while self.tasks and (left := ends - self.loop.time()) > 0:
            await asyncio.wait(list(self.tasks.values()), timeout=left)
        for running in self.running.values():
            if running.task is not None:
                running.task.cancel()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)
        self._drained.set()
        if self.main_task is not None:
            await asyncio.wait([self.main_task])

    async def close(self) -> None:
        """Stop renewing leases; the connections belong to whoever opened them."""
        await asyncio.to_thread(self._lease.close)

    # -- taking jobs

    def _executing(self, functions: Sequence[Function]) -> Execution:
        return Execution(
            {function.name: function for function in functions},
            self.ctx,
            timeout_s=self.settings.search_timeout_s,
            # A backstop: retries and crashes are counted apart, in the job's record.
            max_tries=self.settings.max_tries + self.settings.max_crashes,
        )

    def _taking(self, lane: str, pipe: Pipe) -> Taking:
        return Taking(
            lane,
            places=self.places[lane],
            pipe=pipe,
            claims=Claims(pipe, self.settings, worker_id=self.worker_id),
            start=self._start,
            hand_back=partial(self._finishing.hand_back, counted=False),
        )

    def _start(self, running: Running) -> None:
        job_id = running.job_id
        before = self.running.get(job_id)
        if before is not None and before.ended:
            # It was handed back, and the claim was quicker than the answer to that.
            self.tasks[job_id].add_done_callback(lambda _: self._start(running))
            return
        if before is not None:
            logger.warning("the lease of %s had lapsed while it ran here; nobody else had taken it", job_id)
            self._takings[running.lane].give_back(running)
            self._tell(self._finishing.go_on(before))
            return
        self.running[job_id] = running
        task = self.loop.create_task(self._run(running))
        self.tasks[job_id] = task
        task.add_done_callback(partial(self._ended, job_id))

    async def _run(self, running: Running) -> None:
        with logs.about(job=running.job_id):
            outcome = await self._execution.run(running)
            running.ended = True
            # The next job is claimed while Redis is told of this one.
            self._takings[running.lane].finishing(running)
            if isinstance(outcome, Again):
                self.jobs_retried += 1
                await self._finishing.hand_back(
                    running, delay_s=outcome.delay_s, counted=outcome.counted, lane=outcome.lane
                )
            elif not await self._finishing.end(running, outcome):
                self.jobs_retried += 1
            elif outcome.problem is None:
                self.jobs_complete += 1
            else:
                self.jobs_failed += 1

    def _ended(self, job_id: str, task: asyncio.Task[Any]) -> None:
        ended = self.running.pop(job_id)
        self.tasks.pop(job_id, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("the job broke the worker's own code", exc_info=error)
        self._takings[ended.lane].give_back(ended)

    def _tell(self, telling: Coroutine[Any, Any, None]) -> None:
        """Beside everything else; the loop itself holds tasks by weak references alone."""
        task = self.loop.create_task(telling)
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    # -- being told to stop

    def _leasing(self) -> LeaseKeeper:
        """It has a thread of its own, from which nothing of the loop's may be touched."""
        return LeaseKeeper(
            self.settings,
            worker_id=self.worker_id,
            running=self.running.values,
            stop=lambda job_id, why: self._from_thread(partial(self.stop_job, job_id, why)),
            ask_loop=self._from_thread,
        )

    def _from_thread(self, call: Callable[[], None]) -> None:
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(call)

    def stop_job(self, job_id: str, why: str) -> None:
        """Cancel a job that runs here; one that does not is no error.

        A superseded job whose query the device has taken goes on: the encode cannot be called back, and what it found
        is shown while the newer search is under way.
        """
        running = self.running.get(job_id)
        if running is None or running.stopping or running.task is None:
            return
        if why == "superseded" and running.on_device:
            return
        running.stopping, running.lost = True, why == LOST
        logger.info("stopping job %s: %s", job_id, why)
        running.task.cancel()


def _places(interactive: Mapping[str, int], *, bulk: int) -> dict[str, int]:
    """From those of each model to those of each lane."""
    places: dict[str, int] = {}
    for name, jobs in interactive.items():
        places |= {lane_name("interactive", name): jobs, lane_name("bulk", name): bulk}
    return places


async def _ended(task: asyncio.Task[None]) -> None:
    """Wait for a task that may be cancelled apart. Raises what broke it."""
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()


async def _cancel_all(tasks: Sequence[asyncio.Task[Any]]) -> None:
    """Cancel until all have ended: a timeout inside redis-py 5 that ends just then swallows a cancellation."""
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=FALLBACK_S)
