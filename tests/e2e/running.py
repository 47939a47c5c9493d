"""Starts `clipline up` as a process of its own and tells what runs in it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx

START_S = 150.0
STOP_S = 60.0


@dataclass(frozen=True, slots=True)
class RunningStack:
    """A running `clipline up`."""

    process: subprocess.Popen[str]
    data: Path
    log: Path

    @property
    def url(self) -> str:
        return str(self._state()["url"])

    @property
    def pids(self) -> dict[str, int]:
        """The children now: redis, worker, api."""
        return {str(name): int(pid) for name, pid in self._state()["children"].items()}

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Returns the exit code, which says that nothing is left."""
        self.process.send_signal(number)
        return self.process.wait(STOP_S)

    def output(self) -> str:
        return self.log.read_text()

    def _state(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads((self.data / "up.json").read_text())
        return state


@contextmanager
def up(data: Path, *options: str, environ: dict[str, str] | None = None) -> Iterator[RunningStack]:
    """Ready when it says so; stopped at the end, by force where that is needed."""
    data.parent.mkdir(parents=True, exist_ok=True)
    log = data.with_name(f"{data.name}.{monotonic():.0f}.out.txt")
    command = [sys.executable, "-m", "cli.main", "up", "--data", str(data), "--port", "0", *options]
    plain = {name: value for name, value in os.environ.items() if not name.startswith("CLIPLINE_")}
    with log.open("w") as output:
        process = subprocess.Popen(
            command, env={**plain, **(environ or {})}, stdout=output, stderr=subprocess.STDOUT, text=True
        )
    stack = RunningStack(process, data, log)
    try:
        until(lambda: "Ctrl-C stops it" in stack.output() or process.poll() is not None, START_S, stack.output)
        assert process.poll() is None, stack.output()
        yield stack
    finally:
        if process.poll() is None:
            stack.stop()


def until(true: Callable[[], bool], within_s: float, told: Callable[[], object] = lambda: "") -> None:
    """Wait for a condition of another process; fails with what it told."""
    ends = monotonic() + within_s
    while not true():
        assert monotonic() < ends, f"not within {within_s:.0f} s: {told()}"
        sleep(0.02)


def ready(url: str) -> bool:
    """Whether Redis, queue and worker are all there."""
    try:
        return httpx.get(f"{url}/readyz", trust_env=False).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def family(data: Path) -> set[int]:
    """All processes that belong to a data folder: those that name it in their arguments or their environment."""
    wanted = os.fsencode(data)
    found = set()
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and int(folder.name) != os.getpid():
            try:
                told = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
            except OSError:
                continue
            if wanted in told and alive(int(folder.name)):
                found.add(int(folder.name))
    return found


def clipline(*arguments: str, url: str = "", **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the command line to its end."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("CLIPLINE_")}
    given = {"CLIPLINE_URL": url} if url else {}
    environ = {**plain, **given, **options.pop("environ", {})}
    command = [sys.executable, "-m", "cli.main", *arguments]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120, check=False, **options)
