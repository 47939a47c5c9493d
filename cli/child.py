"""One program of the embedded stack: started, watched, started again, stopped."""

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Protocol

from cli import tether
from cli.failures import Failure, Mistake

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 10.0
# A program that ran this long was well; its next death counts as the first.
SETTLED_S = 20.0
MAX_QUICK_DEATHS = 6
SHOWN_LINES = 8
CHUNK_BYTES = 64 * 2**10


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What runs; `environment` is asked for at every start. SIGTERM has `stop_s` to work before SIGKILL.

    `hopeless` are the exit codes after which another start would end the same way, where none has ended otherwise.
    One that never gives up is started for ever, with pauses. `cpus` are those that it may use; None is all.
    """

    name: str
    command: Sequence[str]
    environment: Callable[[], Mapping[str, str]]
    stop_s: float
    hopeless: frozenset[int] = frozenset()
    gives_up: bool = True
    cpus: frozenset[int] | None = None


class Output(Protocol):
    """Where a program's output goes; it tells the newest lines."""

    @property
    def path(self) -> Path: ...

    def write(self, data: bytes) -> None: ...

    def last(self, count: int = ...) -> list[str]: ...

    def close(self) -> None: ...


class Child:
    """Keeps a program running in a session of its own, so that Ctrl-C in a terminal does not reach it."""

    def __init__(
        self, program: Program, log: Output, *, tell: Callable[[str], None], started: Callable[[], None]
    ) -> None:
        self.program, self.log = program, log
        self._tell, self._started = tell, started
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = False
        self._ended_otherwise = False
        self._ended = asyncio.Event()
        self._ended.set()

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    async def keep(self) -> None:
        """Until `stop`. Raises Failure when the program keeps dying at once, Mistake when a setting cannot work."""
        quick = 0
        while not self._stopping:
            began = monotonic()
            code = await self._run_once()
            if self._stopping:
                return
            quick = quick + 1 if monotonic() - began < SETTLED_S else 1
            self._judge(code, quick)
            pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(quick - 1, 16))
            self._tell(f"{self.program.name} {_how(code)}; starting it again in {pause_s:.1f} s")
            await asyncio.sleep(pause_s)

    async def stop(self, *, at_once: bool = False) -> None:
        """Ask the program to end, then make it; returns when it and what it started are gone."""
        self._stopping = True
        if self._process is None:
            return
        if not at_once:
            self._signal(signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), self.program.stop_s)
        self._kill_session()
        await self._ended.wait()

    def kill(self) -> None:
        """Cut a `stop` short."""
        self._kill_session()

    def _judge(self, code: int, quick: int) -> None:
        # What got further with the same settings before, lacks something else now: a worker its device, perhaps.
        self._ended_otherwise |= code not in self.program.hopeless
        hopeless = not self._ended_otherwise
        if not hopeless and (quick < MAX_QUICK_DEATHS or not self.program.gives_up):
            return
        lines = "\n  ".join(self.log.last(SHOWN_LINES))
        text = f"{self.program.name} {_how(code)} and cannot go on; its last lines ({self.log.path}):\n  {lines}"
        raise Mistake(text) if hopeless else Failure(text)

    async def _run_once(self) -> int:
        """The exit code; negative for a signal."""
        self._process, output = _start(self.program)
        self._ended.clear()
        pump = asyncio.create_task(_pump(output, self.log))
        self._started()
        await _exit_of(self._process.pid)
        # What the program started must not hold its locks and files when it is started again.
        self._kill_session()
        code = self._process.wait()
        await pump
        self._process = None
        self._ended.set()
        return code

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)

    def _kill_session(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)


def _start(program: Program) -> tuple[subprocess.Popen[bytes], int]:
    """The process, and the descriptor from which its output is read."""
    reader, writer = os.pipe()
    try:
        process = subprocess.Popen(  # noqa: S603 - the stack's own programs
            tether.command(*program.command),
            env=dict(program.environment()),
            stdin=subprocess.DEVNULL,
            stdout=writer,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    finally:
        os.close(writer)
    # At once, while it has one thread: the others inherit both.
    if program.cpus is not None:
        os.sched_setaffinity(process.pid, program.cpus)
    return process, reader


async def _exit_of(pid: int) -> None:
    """Wait through a file descriptor, which cannot be taken for another process, and leave the exit code in place."""
    descriptor = os.pidfd_open(pid)
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


async def _pump(descriptor: int, log: Output) -> None:
    """Copy into the log until every writer has closed its end."""
    stream = asyncio.StreamReader(limit=CHUNK_BYTES)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(descriptor, "rb")
    )
    try:
        while data := await stream.read(CHUNK_BYTES):
            log.write(data)
    finally:
        transport.close()


def _how(code: int) -> str:
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
