"""An API and a worker as operators run them, one process each, with metrics and traces switched on."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import httpx

from shared.settings import PREFIX, Settings, to_env
from tests.collector import Collector, collecting
from tests.e2e.running import ready, until
from tests.redis_server import RedisServer
from tests.workers.models import save_model
from tests.workers.tasks.stack import settings_for

ROOT = Path(__file__).parents[2]
START_S = 120.0
STOP_S = 60.0


@dataclass(frozen=True, slots=True)
class Observed:
    """Where it answers, and what it has sent to the collector."""

    url: str
    metrics_url: str
    collector: Collector

    MAX_QUEUED: ClassVar[int] = 8

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        return httpx.request(method, self.url + path, timeout=60, trust_env=False, **options)

    def metrics(self) -> dict[str, str]:
        """What Prometheus would read of each job."""
        urls = {"clipline-api": f"{self.url}/metrics", "clipline-worker": self.metrics_url}
        return {job: httpx.get(url, timeout=60, trust_env=False).text for job, url in urls.items()}


@contextmanager
def observing(folder: Path) -> Iterator[Observed]:
    with ExitStack() as stack:
        redis, collector = stack.enter_context(RedisServer()), stack.enter_context(collecting())
        settings = settings_for(
            redis.url,
            save_model(folder / "model"),
            folder,
            port=0,
            metrics_listen="127.0.0.1:0",
            max_queued_interactive=Observed.MAX_QUEUED,
        )
        worker = stack.enter_context(_process("workers", settings, folder, collector.environ))
        api = stack.enter_context(_process("api", settings, folder, collector.environ))
        running = Observed(api.found("listening on (http.+)"), worker.found("metrics at (http.+)"), collector)
        until(lambda: ready(running.url), START_S, worker.said)
        yield running


class _Process:
    def __init__(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self.process = process
        self.log = log

    def said(self) -> str:
        return self.log.read_text()

    def found(self, pattern: str) -> str:
        """The first group of a pattern in its log, as soon as that is there."""
        until(
            lambda: re.search(pattern, self.said()) is not None or self.process.poll() is not None, START_S, self.said
        )
        found = re.search(pattern, self.said())
        assert found, self.said()
        return found[1]


@contextmanager
def _process(module: str, settings: Settings, folder: Path, environ: Mapping[str, str]) -> Iterator[_Process]:
    log = folder / f"{module}.log"
    plain = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", module],
            env={**plain, **to_env(settings), **environ},
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield _Process(process, log)
        process.terminate()
        assert process.wait(STOP_S) == 0, log.read_text()
    finally:
        process.kill()
        process.wait(STOP_S)
