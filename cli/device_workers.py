"""One worker process for each device, started again when it dies, stopped together."""

import asyncio
import logging
import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import msgspec

from cli import embedded
from cli.child import Child, Program
from cli.failures import Failure, Mistake
from shared.settings import Settings

logger = logging.getLogger(__name__)

# Beyond the worker's own drain, to close the store.
MARGIN_S = 10.0
KEPT_LINES = 20


class Passed:
    """A child's output as our own; its last lines are at hand."""

    path = Path("/dev/stderr")

    def __init__(self) -> None:
        self._last: deque[bytes] = deque(maxlen=KEPT_LINES)

    def write(self, data: bytes) -> None:
        self._last.extend(data.splitlines())
        sys.stderr.buffer.write(data)
        sys.stderr.buffer.flush()

    def last(self, count: int = KEPT_LINES) -> list[str]:
        return [line.decode(errors="replace") for line in self._last][-count:]

    def close(self) -> None:
        """Our own output stays open."""


def named(devices: str) -> list[str]:
    """From `all`, or a list with commas. Raises Mistake."""
    names = _all() if devices == "all" else [name.strip() for name in devices.split(",")]
    if not all(names):
        raise Mistake(f"--devices {devices!r}: name devices, as cuda:0,cuda:1, or say all")
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise Mistake(f"--devices {devices!r}: {twice} is named twice")
    return names


def _all() -> list[str]:
    command = [sys.executable, "-P", "-m", "workers.encoders.devices"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own program
    if found.returncode:
        raise Failure(f"the devices cannot be listed: {found.stderr.strip()}")
    return found.stdout.split()


class DeviceWorkers:
    """Supervises them. A device that keeps failing is tried again, with pauses, while the others work."""

    def __init__(self, settings: Settings, devices: Sequence[str]) -> None:
        """Raises Mistake for what several workers cannot share."""
        if settings.store == "edge" and len(devices) > 1:
            raise Mistake(
                "the embedded store belongs to one worker; several devices need a Qdrant server: CLIPLINE_STORE"
            )
        shares = shared_cpus(sorted(os.sched_getaffinity(0)), len(devices))
        self._children = [
            _child(msgspec.structs.replace(settings, device=device, metrics_listen=_listen(settings, number)), cpus)
            for number, (device, cpus) in enumerate(zip(devices, shares, strict=True))
        ]
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Until a signal; a second one does not wait. Raises Mistake when a setting cannot work."""
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self._told_to_stop)
        keepers = [asyncio.create_task(child.keep()) for child in self._children]
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait([*keepers, stopping], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            await asyncio.gather(*(child.stop() for child in self._children))
            for keeper in keepers:
                keeper.cancel()  # it may pause before the next start
            ended = await asyncio.gather(*keepers, return_exceptions=True)
        for one in ended:
            if isinstance(one, Exception):
                raise one

    def _told_to_stop(self) -> None:
        if self._stopping.is_set():
            for child in self._children:
                child.kill()
        self._stopping.set()


def shared_cpus(cpus: Sequence[int], workers: int) -> list[frozenset[int] | None]:
    """Neighbouring CPUs for each; None, all of them, where there are fewer than workers."""
    if workers == 1 or len(cpus) < workers:
        return [None] * workers
    bounds = [len(cpus) * number // workers for number in range(workers + 1)]
    return [frozenset(cpus[start:end]) for start, end in pairwise(bounds)]


def _listen(settings: Settings, number: int) -> str:
    """Each worker shows its metrics on a port of its own, one after the other."""
    host, colon, port = settings.metrics_listen.rpartition(":")
    return f"{host}:{int(port) + number}" if colon and int(port) else settings.metrics_listen


def _child(settings: Settings, cpus: frozenset[int] | None) -> Child:
    program = Program(
        name=f"worker on {settings.device}",
        command=[sys.executable, "-P", "-m", "workers"],
        environment=lambda: embedded.environment(settings),
        stop_s=settings.drain_s + MARGIN_S,
        hopeless=frozenset({Mistake.code}),
        gives_up=False,
        cpus=cpus,
    )
    return Child(program, Passed(), tell=logger.warning, started=lambda: None)
