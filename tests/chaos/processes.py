"""Workers that tests kill, with their parents or alone, freeze and start again, and what they ran."""

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from shared.settings import Settings, to_env
from tests.chaos.worker import READY

TOLD = {-signal.SIGKILL, -signal.SIGTERM, 0}


class Run(NamedTuple):
    """One start of a job; `at` is on the clock that all processes of this machine share."""

    job: str
    worker: str
    at: float


class Processes:
    """Workers by name. What ends in another way than by a signal is an error of the worker."""

    def __init__(self, settings: Settings, runs: Path) -> None:
        self.settings = settings
        self.runs_file = runs
        self.alive: dict[str, subprocess.Popen[bytes]] = {}
        self.frozen: set[str] = set()
        self.started = 0
        self.broken: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for process in self.alive.values():
            process.kill()
            process.wait()

    def start(self) -> str:
        self.started += 1
        name = f"w{self.started}"
        self.alive[name] = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.worker", name, str(self.runs_file)],
            env={**os.environ, **to_env(self.settings)},
        )
        return name

    def crash(self, name: str) -> None:
        """SIGKILL for the worker alone, if it has started: its parent sees to its jobs, and starts another."""
        for worker in self._worker(name):
            os.kill(worker, signal.SIGKILL)

    def kill(self, name: str) -> None:
        """SIGKILL for both: nothing is handed back, and nobody knows but by the lease."""
        process = self.alive.pop(name)
        self.frozen.discard(name)
        process.kill()
        process.wait()

    def terminate(self, name: str) -> None:
        """SIGTERM: the worker drains, then ends by itself; `bury` meets it."""
        self.alive[name].terminate()

    def freeze(self, name: str) -> None:
        self._signal(name, signal.SIGSTOP)
        self.frozen.add(name)

    def thaw(self) -> None:
        """Let every frozen worker go on, believing that no time has passed."""
        for name in self.frozen:
            self._signal(name, signal.SIGCONT)
        self.frozen.clear()

    def _signal(self, name: str, number: signal.Signals) -> None:
        self.alive[name].send_signal(number)
        for worker in self._worker(name):
            os.kill(worker, number)

    def _worker(self, name: str) -> list[int]:
        """Its process id; none before its start and after its end."""
        parent = self.alive[name].pid
        try:
            return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
        except FileNotFoundError:
            return []

    def bury(self) -> int:
        """Forget the dead; returns how many there were."""
        dead = {name: code for name, process in self.alive.items() if (code := process.poll()) is not None}
        for name, code in dead.items():
            del self.alive[name]
            if code not in TOLD:
                self.broken.append(f"{name} ended with {code}")
        return len(dead)

    def runs(self) -> list[Run]:
        """Every start of a job so far, in order."""
        return [run for run in self._lines() if run.job != READY]

    def ready(self) -> set[str]:
        """Workers that have come so far as to take jobs."""
        return {run.worker for run in self._lines() if run.job == READY}

    def _lines(self) -> list[Run]:
        if not self.runs_file.exists():
            return []
        rows = (line.split() for line in self.runs_file.read_text().splitlines())
        return [Run(job, worker, float(at)) for job, worker, at in rows]

    def runs_by_job(self) -> Counter[str]:
        return Counter(run.job for run in self.runs())
