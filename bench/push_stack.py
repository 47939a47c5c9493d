"""What the push benchmark measures: an API process with its Redis and a worker, or the floor's server."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import httpx
import msgspec

from bench.memory import resident_mib
from bench.search import free_port
from shared.settings import Settings, to_env
from tests.redis_server import RedisServer

START_S = 60.0
MOST = 100_000
TICKS_S = os.sysconf("SC_CLK_TCK")


class Served(msgspec.Struct, frozen=True):
    """A server under test."""

    url: str
    pid: int

    def rss_kib(self) -> float:
        return resident_mib(self.pid) * 1024

    def cpu_s(self) -> float:
        """Processor time so far (proc(5), utime and stime)."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_S


class Stack(msgspec.Struct, frozen=True):
    server: Served
    settings: Settings

    @property
    def ws_url(self) -> str:
        return self.server.url.replace("http", "ws", 1) + "/v1/ws"


@contextmanager
def stack(folder: str, *, worker: str = "bench.push_worker", more: Mapping[str, str] | None = None) -> Iterator[Stack]:
    """With the worker that this module runs; `more` are settings, as variables."""
    with RedisServer() as redis:
        settings = Settings(
            redis_url=redis.url,
            data_dir=folder,
            port=free_port(),
            max_connections=MOST,
            tenant_max_connections=MOST,
            max_queued_interactive=MOST,
            tenant_max_open=MOST,
            log_level="error",
        )
        environment = {**os.environ, **to_env(settings), **(more or {})}
        url = f"http://127.0.0.1:{settings.port}"
        with _process("api", environment) as api, _process(worker, environment):
            _until(lambda: httpx.get(f"{url}/healthz").status_code == 200, api)
            yield Stack(Served(url, api.pid), settings)


@contextmanager
def floor() -> Iterator[Served]:
    port = free_port()
    with _process("bench.push_floor", dict(os.environ), str(port)) as server:
        url = f"ws://127.0.0.1:{port}/"
        # Whatever it answers to a request that is no handshake, it is there.
        _until(lambda: httpx.get(url.replace("ws", "http", 1)).status_code > 0, server)
        yield Served(url, server.pid)


@contextmanager
def _process(module: str, environment: dict[str, str], *rest: str) -> "Iterator[subprocess.Popen[bytes]]":
    process = subprocess.Popen([sys.executable, "-m", module, *rest], env=environment, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _until(answers: object, process: "subprocess.Popen[bytes]") -> None:
    assert callable(answers)
    ends = monotonic() + START_S
    while monotonic() < ends and process.poll() is None:
        try:
            if answers():
                return
        except httpx.TransportError:
            sleep(0.05)
    raise RuntimeError("the server does not start")
