"""Runs one worker: `python -m workers`."""

import asyncio
import logging
import os
import secrets
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any, TypeVar

import uvloop
from arq.connections import ArqRedis

from shared import logs
from shared.connection import connect, refuse_eviction
from shared.errors import Unavailable
from shared.garbage import leave_out_what_exists
from shared.loop_watch import LoopWatch
from shared.settings import Settings, SettingsError, from_env
from workers import parent
from workers.device_trouble import DeviceFailed
from workers.device_watch import DeviceWatch
from workers.disagreement import tell_of_others
from workers.encoders.load import load_encoder
from workers.encoders.protocol import Encoder
from workers.executors import COMPUTING_NICENESS
from workers.functions import functions
from workers.gauges import shown
from workers.heartbeat import Heartbeat
from workers.ingest.sources import sweep_spool
from workers.legacy import NOTHING, Bequeath, Legacy, legacy
from workers.metrics_port import metrics_port
from workers.parts import Parts, open_parts
from workers.sizing import Sizing
from workers.tasks.collection import restore_registry
from workers.tidying import Tidying
from workers.traced import TracedWorker
from workers.warmup import warm_up
from workers.worker import Worker

logger = logging.getLogger("workers")

REDIS_PAUSE_S = 1.0

T = TypeVar("T")


async def serve(
    settings: Settings,
    *,
    stop: asyncio.Event,
    load: Callable[[Settings], Encoder] = load_encoder,
    before: Legacy = NOTHING,
    bequeath: Bequeath = lambda _: None,
) -> None:
    """Take jobs until `stop` is set or an operator asks the worker to drain, then drain. `load` makes the encoder.

    `before` is what a worker left in whose place this one comes; `bequeath` is told what it leaves itself.

    Raises SettingsError for a model, a store or a metrics port that cannot be had, DeviceFailed when the device fails.
    """
    async with connect(settings) as redis, connect(settings, blocking=True) as blocking:
        await _wait_for(redis, stop)
        if stop.is_set():
            return
        async with (
            open_parts(settings, redis, load=load) as parts,
            metrics_port(settings.metrics_listen, parts.metrics.registry),
        ):
            sizings = await _finished(_prepare(parts, before), stop)
            if sizings is not None:
                worker = _worker(parts, sizings, blocking)
                bequeath(legacy(worker.worker_id, parts, sizings))
                await _work(worker, parts, sizings, stop)


async def _work(worker: Worker, parts: Parts, sizings: Mapping[str, Sizing], stop: asyncio.Event) -> None:
    """Raises DeviceFailed after the jobs were handed back."""
    heartbeat = Heartbeat(worker, parts, sizings)
    failed = asyncio.create_task(_device_failed(worker, parts).wait())
    taking = asyncio.create_task(worker.async_run())
    stopping = asyncio.create_task(stop.wait())
    drained = asyncio.create_task(worker.drain_asked.wait())
    beside = [
        asyncio.create_task(one)
        for one in (
            heartbeat.run(),
            _tidying(worker, parts).run(),
            _watch(parts).run(),
            _device_watch(parts).run(),
            parts.stages.run(parts.redis),
        )
    ]
    logger.info("worker %s is ready", worker.worker_id)
    try:
        with shown(worker, parts):
            await asyncio.wait([taking, stopping, drained, failed], return_when=asyncio.FIRST_COMPLETED)
            # Nothing of what runs can end well on a device that has failed.
            await worker.drain(within_s=0.0 if failed.done() else None)
            # What broke it ends this process too.
            await taking
            if failed.done():
                raise DeviceFailed("the worker ends, since its device does not work")
    finally:
        for task in (*beside, stopping, drained, failed):
            task.cancel()
        await heartbeat.leave()
        await worker.close()


def _device_failed(worker: Worker, parts: Parts) -> asyncio.Event:
    """Set when the device fails with any model; by then no more jobs are taken, so that none comes back here."""
    loop, failed = asyncio.get_running_loop(), asyncio.Event()

    def fail() -> None:
        worker.stop_taking()
        failed.set()

    for of_model in parts.models.values():
        of_model.batcher.when_failed(lambda: loop.call_soon_threadsafe(fail))
    return failed


def _worker(parts: Parts, sizings: Mapping[str, Sizing], blocking: ArqRedis) -> Worker:
    settings, tracing = parts.settings, parts.tracing
    what = functions(settings)
    others: dict[str, Any] = {
        "redis": parts.redis,
        "blocking": blocking,
        "settings": settings,
        "worker_id": f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}",
        "ctx": {"parts": parts},
        "places": {name: sizing.jobs for name, sizing in sizings.items()},
    }
    return TracedWorker(what, tracing=tracing, **others) if tracing.on else Worker(what, **others)


def _tidying(worker: Worker, parts: Parts) -> Tidying:
    sweep = partial(parts.decoding.run, sweep_spool, parts.settings)
    return Tidying(parts.redis, parts.settings, worker_id=worker.worker_id, sweep=sweep)


def _device_watch(parts: Parts) -> DeviceWatch:
    batchers, settings = [one.batcher for one in parts.models.values()], parts.settings
    # By then every search of the batch has run out of time.
    return DeviceWatch(batchers, most_s=max(settings.search_timeout_s, settings.hang_s))


def _watch(parts: Parts) -> LoopWatch:
    return LoopWatch(parts.metrics.loop)


async def _finished(work: Coroutine[Any, Any, T], stop: asyncio.Event) -> T | None:
    """What the work brought; None when somebody said stop before, then it is cancelled."""
    task, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    await asyncio.wait([task, stopping], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if task.done():
        return await task
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return None


async def _prepare(parts: Parts, before: Legacy) -> dict[str, Sizing]:
    sizings = await warm_up(parts, known=before.sizings)
    restored = await restore_registry(parts)
    if restored:
        logger.info("%d collections of the store were named again", restored)
    swept = await parts.decoding.run(sweep_spool, parts.settings)
    if swept:
        logger.info("%d abandoned uploads were removed", swept)
    await tell_of_others(parts)
    leave_out_what_exists()
    return sizings


async def _wait_for(redis: ArqRedis, stop: asyncio.Event) -> None:
    while not stop.is_set():
        try:
            await refuse_eviction(redis)
        except Unavailable as error:
            logger.warning("waiting for Redis: %s", error)
            await asyncio.sleep(REDIS_PAUSE_S)
        else:
            return


async def _until_told(
    settings: Settings, load: Callable[[Settings], Encoder], before: Legacy, bequeath: Bequeath
) -> None:
    stop = asyncio.Event()
    for signal_ in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signal_, stop.set)
    await serve(settings, stop=stop, load=load, before=before, bequeath=bequeath)


def main(settings: Settings) -> int:
    """Exit code 0 after a drain, 1 when the device has failed, 2 for a setting that cannot work.

    Returns in every process that this one forks, too.
    """
    logs.configure(settings)
    return parent.run(settings, partial(_life, settings))


def _life(settings: Settings, before: Legacy, bequeath: Bequeath) -> int:
    """Of one worker, to its exit code."""
    # They import torch, which takes seconds, and which the parent has already.
    from workers.encoders.device import choose_device
    from workers.encoders.replicas import replicated

    with replicated(settings) as replicas:
        load = load_encoder if replicas is None else replicas.load
        try:
            if replicas is None and settings.device in {"auto", "cpu"} and choose_device(settings).type == "cpu":
                # Before there are threads, which inherit it. Replicas step back by themselves.
                os.nice(COMPUTING_NICENESS)
            uvloop.run(_until_told(settings, load, before, bequeath))
        except SettingsError as error:
            logger.error("%s", error)
            return 2
        except DeviceFailed as error:
            logger.critical("%s", error)
            if replicas is not None and replicas.died:
                # What killed it would have ended this process too: then a parent starts another one at once.
                os.kill(os.getpid(), signal.SIGKILL)
            return 1
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(from_env(os.environ)))
    except SettingsError as error:
        sys.exit(f"clipline: {error}")
