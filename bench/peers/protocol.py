"""What a queue under test does: a worker process that counts what it ran, and a client that takes orders on stdin.

`python -m bench.peers.NAME worker URL SLOTS POLL_MS COUNTER NUMBER` prints `ready`, then runs jobs until it is killed.
`python -m bench.peers.NAME client URL POLL_MS` reads one JSON order a line and prints one JSON answer a line.
Standard library only: every environment can import it.
"""

import asyncio
import json
import mmap
import struct
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple, Protocol

ENQUEUERS = 32
SLEEP_S = 0.03
MAX_WORKERS = 64
_SLOT = struct.Struct("<Q")


class WorkerArguments(NamedTuple):
    """What a worker process is started with."""

    url: str
    slots: int
    poll_s: float
    counter: "Counter"


class Counter:
    """Jobs done by one worker process, in memory that the benchmark reads: counting costs Redis nothing."""

    def __init__(self, path: Path, number: int) -> None:
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), MAX_WORKERS * _SLOT.size)
        self._offset = number * _SLOT.size
        self._done = 0
        self._lock = threading.Lock()

    def add(self) -> None:
        with self._lock:
            self._done += 1
            _SLOT.pack_into(self._memory, self._offset, self._done)


class Client(Protocol):
    """How a program uses the queue: `name` is the job's, `noop` or `sleep`."""

    async def round_trip(self) -> None: ...

    async def enqueue(self, name: str) -> None: ...


class BlockingClient(Protocol):
    """The same for a library without asyncio."""

    def round_trip(self) -> None: ...

    def enqueue(self, name: str) -> None: ...


def worker_arguments() -> WorkerArguments:
    _, _, url, slots, poll_ms, path, number = sys.argv
    return WorkerArguments(url, int(slots), float(poll_ms) / 1000, Counter(Path(path), int(number)))


def client_arguments() -> tuple[str, float]:
    """The URL and the poll interval in seconds."""
    return sys.argv[2], float(sys.argv[3]) / 1000


def ready() -> None:
    print("ready", flush=True)


def is_worker() -> bool:
    return sys.argv[1] == "worker"


async def take_orders(client: Client) -> None:
    """Until stdin ends."""
    ready()
    while line := await asyncio.to_thread(sys.stdin.readline):
        _answer(await _carry_out(client, json.loads(line)))


async def _carry_out(client: Client, order: dict[str, Any]) -> dict[str, Any]:
    if order["do"] == "fill":
        shares = [len(range(number, order["jobs"], ENQUEUERS)) for number in range(ENQUEUERS)]
        await asyncio.gather(*(_repeat(lambda: client.enqueue(order["job"]), share) for share in shares))
        return {"filled": order["jobs"]}
    taken = []
    for _ in range(order["calls"]):
        started = perf_counter()
        await client.round_trip()
        taken.append((perf_counter() - started) * 1000)
    return {"taken_ms": taken}


async def _repeat(call: Callable[[], Awaitable[None]], times: int) -> None:
    for _ in range(times):
        await call()


def take_orders_blocking(client: BlockingClient) -> None:
    """Until stdin ends."""
    ready()
    for line in sys.stdin:
        _answer(_carry_out_blocking(client, json.loads(line)))


def _carry_out_blocking(client: BlockingClient, order: dict[str, Any]) -> dict[str, Any]:
    if order["do"] == "fill":
        for _ in range(order["jobs"]):
            client.enqueue(order["job"])
        return {"filled": order["jobs"]}
    taken = []
    for _ in range(order["calls"]):
        started = perf_counter()
        client.round_trip()
        taken.append((perf_counter() - started) * 1000)
    return {"taken_ms": taken}


def _answer(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)
