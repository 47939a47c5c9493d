"""Searches by closed-loop users against the running stack, beside the two classic handlers; ViT-B-32, random weights.

Every system gets the same HTTP requests from the same client process, over the same 20,000 vectors in the same store
engine; they run one after the other, in turns. `inline` and `executor` call open_clip's own `encode_text` for each
request; `*_truncated` call Clipline's encoder, still one request at a time. Figures at the largest number of users are
reported under the plain names, those of other loads with `_1`, `_8` behind.

`encoder_limit` is Clipline's encoder alone, in batches, with the machine to itself; `share_of_limit` is how much of it
the searches reach, `p95_batches` how many of its batch times the slowest wait. Then the same load again while pictures
are ingested as fast as they can be (`ingest_…`; `ingest_images_s` is what the encoder did beside the searches).
`cpu_ms_…` is the CPU time that a search takes in each part, whose sum says how many there could be at most.
`device_busy` is the share of the time that the device works; it takes `batch_ms` for the mean batch of `batch_texts`.
Each server has had the same load for a moment before: its first seconds, connections and imports, are not counted.

`CLIPLINE_DEVICE`, `CLIPLINE_THREADS` and the like hold for Clipline and for `encoder_limit`.
"""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from time import monotonic, sleep
from typing import NamedTuple

import httpx
import msgspec
import numpy as np
import uvloop

from bench import cpu_use, device_use, loop_lag
from bench.classic import STORED
from bench.encoder_limit import MODEL
from bench.ingest_beside import ingesting
from bench.load import Load
from bench.phrases import phrases
from bench.report import Figures, Report, arguments, emit, median_of, progress
from shared.clock import now_iso
from shared.jobs import Collection
from shared.settings import from_env
from workers.encoders.load import load_encoder
from workers.encoders.protocol import Encoder, Matrix
from workers.stores.protocol import Point
from workers.stores.qdrant_edge import QdrantEdgeStore

POINTS = 20_000
# Phrases that the pictures show, and how far from one a picture lies, in the deviations between them.
SHOWN, NOISE, BATCH = 2_048, 0.7, 64
START_S, WARM_S = 120.0, 1.5
CLASSIC = ("inline", "executor", "inline_truncated", "executor_truncated")


class Served(NamedTuple):
    """Where a server answers, and the process above all of its processes."""

    url: str
    pid: int


async def fill(folder: Path, encoder: Encoder | None = None, *, count: int = POINTS) -> None:
    """(count, dim) vectors under the fingerprint of the model that will search them: ViT-B-32, or `encoder`."""
    settings = from_env({**os.environ, **MODEL, "CLIPLINE_DATA_DIR": str(folder)})
    encoder = encoder or load_encoder(settings)
    info = encoder.info
    known = Collection(name="bench", model=info.fingerprint, dim=info.dim, created_at=now_iso())
    store = QdrantEdgeStore(settings)
    await store.start()
    await store.create(STORED, dim=info.dim, indexes={}, meta={"collection": msgspec.json.encode(known).decode()})
    points = [
        Point(id=number, vector=row.tobytes(), payload={"label": f"{number}"})
        for number, row in enumerate(shown_in_pictures(encoder, count))
    ]
    await store.upsert(STORED, points)
    await store.optimize(STORED)
    await store.close()


def shown_in_pictures(encoder: Encoder, count: int) -> Matrix:
    """(count, dim) unit vectors, each near that of a phrase that says what is shown, as pictures are."""
    words = phrases(99)
    batches = (list(islice(words, BATCH)) for _ in range(SHOWN // BATCH))
    said = np.concatenate([encoder.encode_texts([encoder.tokenize(text)[0] for text in some]) for some in batches])
    draw = np.random.default_rng(0)
    chance = draw.standard_normal((count, said.shape[1])).astype(np.float32)
    rows = said[draw.integers(0, len(said), count)] + NOISE * said.std(axis=0) * chance
    vectors: Matrix = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return vectors


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
    return port


@contextmanager
def serving(
    system: str, filled: Path, *, metrics_port: int = 0, environ: Mapping[str, str] | None = None
) -> Iterator[Served]:
    """The system's server over a copy of the filled store, from when it answers searches; `environ` is this process's,
    with the model of this benchmark, unless it is given.
    """
    port = free_port()
    more = {"CLIPLINE_METRICS_LISTEN": f"127.0.0.1:{metrics_port}"} if metrics_port else {}
    with tempfile.TemporaryDirectory(prefix="clipline-bench-") as folder:
        shutil.copytree(filled / "vectors", Path(folder) / "vectors")
        module = ["-m", "bench.classic", system, folder, str(port)]
        if system == "clipline":
            module = ["-m", "cli.main", "up", "--data", folder, "--port", str(port)]
        process = subprocess.Popen(
            [sys.executable, *module],
            env={**(environ or {**os.environ, **MODEL}), **more},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            until_it_searches(url, process)
            yield Served(url, process.pid)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def until_it_searches(url: str, process: "subprocess.Popen[bytes] | None" = None) -> None:
    """Raises RuntimeError when it does not in time, or `process` has ended."""
    body = {"collection": "bench", "query": {"text": "warm up"}}
    ends = monotonic() + START_S
    while monotonic() < ends and (process is None or process.poll() is None):
        try:
            if httpx.post(f"{url}/v1/search", params={"wait": "30"}, json=body, timeout=40).status_code == 200:
                return
        except httpx.TransportError:
            pass
        sleep(0.2)
    raise RuntimeError(f"{url} does not answer searches")


def measure(system: str, filled: Path, *, users: list[int], seconds: float, seed: int) -> Figures:
    """One system's figures; Clipline's have those of its event loops and of the load beside an ingest too."""
    figures: dict[str, float] = {}
    metrics_port = free_port() if system == "clipline" else 0
    with serving(system, filled, metrics_port=metrics_port) as served:
        loops = {"api": served.url, "worker": f"http://127.0.0.1:{metrics_port}"} if metrics_port else {}
        loaded(served, loops, users=max(users), seconds=WARM_S, seed=seed + 55)
        for count in users:
            found = loaded(served, loops, users=count, seconds=seconds, seed=seed + count)
            ending = "" if count == max(users) else f"_{count}"
            figures |= {f"{name}{ending}": value for name, value in found.items()}
            progress(f"{system}, {count} users: {found}")
        if loops:
            with ingesting(served.url, loops["worker"]) as pictures:
                before = pictures()
                found = loaded(served, loops, users=max(users), seconds=seconds, seed=seed + 77)
                found["images_s"] = (pictures() - before) / seconds
            progress(f"{system}, {max(users)} users beside an ingest: {found}")
            figures |= {f"ingest_{name}": value for name, value in found.items()}
            figures["ingest_p95_times"] = found["p95_ms"] / figures["p95_ms"]
    return figures


def loaded(served: Served, loops: Mapping[str, str], *, users: int, seconds: float, seed: int) -> dict[str, float]:
    """Under load from `users`; `loops` are where the processes tell how their event loops fare."""
    before, used = {name: loop_lag.read(place) for name, place in loops.items()}, cpu_use.read(served.pid)
    device = device_use.read(loops["worker"]) if loops else None
    load = Load(served.url, users=users, seconds=seconds, seed=seed)
    figures = dict(uvloop.run(load.run()))
    if device is not None:
        figures |= device_use.between(device, device_use.read(loops["worker"]))
    figures |= cpu_use.per_search(used, cpu_use.read(served.pid), len(load.taken_ms))
    after = {name: loop_lag.read(place) for name, place in loops.items()}
    return figures | {f"{name}_lag_p99_ms": loop_lag.p99_ms(before[name], after[name]) for name in loops}


def limit(seconds: float, seed: int) -> Figures:
    command = [sys.executable, "-m", "bench.encoder_limit", str(seconds), str(seed)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    figures: dict[str, float] = msgspec.json.decode(told.splitlines()[-1])
    progress(f"encoder_limit: {figures}")
    return figures


def related(ours: dict[str, float], encoder: Mapping[str, float], executor: Mapping[str, float] | None) -> None:
    """What the goals speak of: shares of the encoder's limit, waits in batch times, the classic handler."""
    ours["share_of_limit"] = round(ours["searches_s"] / encoder["searches_s"], 3)
    ours["p95_batches"] = round(ours["p95_ms"] / encoder["batch_ms"], 3)
    if executor is not None:
        ours["times_executor"] = round(ours["searches_s"] / executor["searches_s"], 3)


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--users", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--seconds", type=float, default=10.0, help="of load for each system and number of users")
    parser.add_argument("--classic", nargs="*", default=CLASSIC, choices=CLASSIC, help="handlers to compare with")
    chosen = parser.parse_args()
    systems = ("clipline", "encoder_limit", *chosen.classic)
    rounds: dict[str, list[Figures]] = {system: [] for system in systems}
    with tempfile.TemporaryDirectory(prefix="clipline-bench-filled-") as folder:
        asyncio.run(fill(Path(folder)))
        for number in range(chosen.rounds):
            for system, figures in rounds.items():
                if system == "encoder_limit":
                    figures.append(limit(chosen.seconds, 100 * number))
                    continue
                figures.append(
                    measure(system, Path(folder), users=chosen.users, seconds=chosen.seconds, seed=100 * number)
                )
    report = Report(figures={system: median_of(figures) for system, figures in rounds.items()})
    related(report.figures["clipline"], report.figures["encoder_limit"], report.figures.get("executor"))
    ours = report.figures["clipline"]["searches_s"]
    for system in chosen.classic:
        report.notes.append(
            f"{max(chosen.users)} users: {ours / report.figures[system]['searches_s']:.1f} times {system}"
        )
    emit(report, as_json=chosen.json)


if __name__ == "__main__":
    main()
