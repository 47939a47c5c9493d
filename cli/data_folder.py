"""The folder that holds all of an embedded stack's data: one stack at a time, and what is running there."""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from cli.failures import Failure, Mistake


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """What `up.json` tells: the supervisor, the address, and the children's process ids."""

    pid: int
    url: str
    children: dict[str, int]


class DataFolder:
    """Held by a lock that ends with the process, so a killed stack leaves nothing to clean up by hand."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().resolve()
        self.redis = self.path / "redis"
        self.logs = self.path / "logs"
        self._state = self.path / "up.json"
        self._lock: int | None = None

    def __enter__(self) -> Self:
        """Raises Failure when another stack holds the folder, Mistake when it cannot be written."""
        try:
            self.redis.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self.path / "up.lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise Mistake(f"--data {self.path}: {error.strerror}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._lock)
            raise Failure(self._taken()) from error
        self._state.unlink(missing_ok=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._state.unlink(missing_ok=True)
        if self._lock is not None:
            os.close(self._lock)

    def write(self, running: Running) -> None:
        """Replace `up.json` whole: a reader never meets half of it."""
        new = self._state.with_suffix(".new")
        new.write_bytes(msgspec.json.encode(running))
        new.replace(self._state)

    def read(self) -> Running | None:
        try:
            return msgspec.json.decode(self._state.read_bytes(), type=Running)
        except (OSError, msgspec.MsgspecError):
            return None

    def _taken(self) -> str:
        running = self.read()
        where = f" at {running.url} (process {running.pid})" if running is not None else ""
        return f"a stack is already running on {self.path}{where}; stop it, or give another folder with --data"
