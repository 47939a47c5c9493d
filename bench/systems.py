"""The queues under test, and their processes."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

import msgspec

from bench.peers.install import ROOT, python_of
from bench.peers.protocol import MAX_WORKERS

SILENT_S = 60.0
LOOK_S = 0.002
COUNT_BYTES = 8


class System(msgspec.Struct, frozen=True, kw_only=True):
    """A queue with its fairest settings; bench/peers/README.md says why these.

    `noop_slots` is the concurrency at which its no-op throughput is best, among those tried.
    """

    name: str
    module: str
    environment: str = ""
    poll_ms: float = 0.0
    idle_calls: int = 200
    noop_slots: int = 100

    @property
    def python(self) -> str:
        return str(python_of(self.environment)) if self.environment else sys.executable

    @property
    def missing(self) -> bool:
        return not Path(self.python).exists()


SYSTEMS = (
    System(name="clipline", module="bench.own", idle_calls=400),
    System(name="floor", module="bench.peers.floor", environment="floor"),
    System(name="arq", module="bench.peers.arq", environment="arq", poll_ms=500, idle_calls=10),
    System(name="arq_5ms", module="bench.peers.arq", environment="arq", poll_ms=5),
    System(name="saq", module="bench.peers.saq", environment="saq", poll_ms=5),
    System(name="streaq", module="bench.peers.streaq", environment="streaq", idle_calls=40),
    System(name="taskiq", module="bench.peers.taskiq", environment="taskiq", poll_ms=5),
    System(name="celery", module="bench.peers.celery", environment="celery", noop_slots=8),
    System(name="dramatiq", module="bench.peers.dramatiq", environment="dramatiq", poll_ms=5, noop_slots=8),
)


class Counts:
    """Jobs that the worker processes have done, read from the memory that they share."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_bytes(bytes(MAX_WORKERS * COUNT_BYTES))

    def done(self) -> int:
        return sum(memoryview(self.path.read_bytes()).cast("Q"))

    def reach(self, wanted: int, *, within_s: float) -> tuple[int, float]:
        """Wait until so many are done; returns how many were, and after how many seconds."""
        started = perf_counter()
        while (done := self.done()) < wanted and perf_counter() - started < within_s:
            sleep(LOOK_S)
        return done, perf_counter() - started


class Client:
    """Gives orders to a system's client process."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.pid = process.pid
        _until_ready(process)

    def idle(self, calls: int) -> list[float]:
        """Milliseconds of each round trip."""
        taken: list[float] = self._order(do="idle", calls=calls)["taken_ms"]
        return taken

    def fill(self, jobs: int, job: str) -> None:
        self._order(do="fill", jobs=jobs, job=job)

    def _order(self, **order: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return dict(json.loads(_line(self._process)))


class Fleet:
    """A running system: its workers, its client, what was done."""

    def __init__(self, system: System, url: str, *, slots: int, counts: Counts, stack: ExitStack) -> None:
        self.workers: list[subprocess.Popen[str]] = []
        self.counts = counts
        self._start = partial(_process, stack, system)
        self._worker = ["worker", url, str(slots), str(system.poll_ms), str(counts.path)]
        self.client = Client(self._start(["client", url, str(system.poll_ms)]))

    def grow(self, workers: int) -> None:
        """Have so many worker processes, each with a job behind it, most likely."""
        more = [self._start([*self._worker, str(number)]) for number in range(len(self.workers), workers)]
        for process in more:
            _until_ready(process)
        self.workers += more
        self.client.idle(2 * workers)

    def stop(self) -> None:
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        for worker in self.workers:
            worker.send_signal(number)


@contextmanager
def running(system: System, url: str, *, slots: int, workers: int = 1) -> Iterator[Fleet]:
    """Start the processes and wait until a job went through."""
    with tempfile.NamedTemporaryFile(prefix="clipline-count-") as file, ExitStack() as stack:
        fleet = Fleet(system, url, slots=slots, counts=Counts(Path(file.name)), stack=stack)
        fleet.grow(workers)
        yield fleet


def _process(stack: ExitStack, system: System, arguments: Sequence[str]) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [system.python, "-P", "-m", system.module, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    stack.callback(_end, process)
    return process


def _end(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.communicate()


def _until_ready(process: "subprocess.Popen[str]") -> None:
    while _line(process).strip() != "ready":
        pass


def _line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    # A silent process is ended, and so is the wait for its line.
    watch = threading.Timer(SILENT_S, process.kill)
    watch.start()
    try:
        line = process.stdout.readline()
    finally:
        watch.cancel()
    if not line:
        raise RuntimeError(f"{process.args!r} ended with {process.wait()}")
    return line
