"""An API process that can be killed and comes back under its address."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import Self

import httpx
import msgspec

from shared.settings import PREFIX, Settings, to_env

ROOT = Path(__file__).parents[2]
START_S = 60.0


class ApiProcess:
    """`python -m api` on a port that stays ours while it is away."""

    def __init__(self, settings: Settings) -> None:
        # Bound and never listening: nobody else is given the port, and the API may still listen on it.
        self._place = socket.socket()
        self._place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._place.bind(("127.0.0.1", 0))
        port = int(self._place.getsockname()[1])
        self.url = f"http://127.0.0.1:{port}"
        self._settings = msgspec.structs.replace(settings, port=port)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.kill()
        self._place.close()

    def start(self) -> None:
        """Returns when it answers."""
        plain = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        command = [sys.executable, "-m", "api"]
        environ = {**plain, **to_env(self._settings)}
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(command, cwd=ROOT, env=environ, stdin=quiet, stdout=quiet, stderr=quiet)
        ends = monotonic() + START_S
        while not self._answers():
            assert self._process.poll() is None, "the API ended"
            assert monotonic() < ends, "the API does not answer"
            sleep(0.02)

    def kill(self) -> None:
        """Without a word to anybody."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/healthz", trust_env=False).is_success
        except httpx.TransportError:
            return False
