"""API processes that tests kill and start again at the same address."""

import os
import socket
import subprocess
import sys
from contextlib import suppress
from time import monotonic, sleep
from types import TracebackType
from typing import Self

import msgspec

from shared.settings import Settings, to_env

START_S = 60.0
LOOK_S = 0.02


class ApiProcesses:
    """So many of them over one Redis, each at an address that stays its own."""

    def __init__(self, settings: Settings, count: int) -> None:
        self.settings = settings
        self.ports = _free_ports(count)
        self.alive: dict[int, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        for port in self.ports:
            self.start(port)
        for port in self.ports:
            self.until_up(port)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for port in list(self.alive):
            self.kill(port)

    def url(self, port: int) -> str:
        return f"ws://127.0.0.1:{port}/v1/ws"

    def start(self, port: int) -> None:
        environment = {**os.environ, **to_env(msgspec.structs.replace(self.settings, port=port))}
        self.alive[port] = subprocess.Popen([sys.executable, "-m", "api"], env=environment)

    def kill(self, port: int) -> None:
        """SIGKILL: nobody is told goodbye."""
        process = self.alive.pop(port)
        process.kill()
        process.wait()

    def until_up(self, port: int) -> None:
        ends = monotonic() + START_S
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=START_S):
                return
            assert self.alive[port].poll() is None, "the API ended by itself"
            assert monotonic() < ends, "the API does not start"
            sleep(LOOK_S)


def _free_ports(count: int) -> list[int]:
    """All held at once, so that none is given twice."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
