"""Searches by closed-loop users against the running stack, beside the two classic handlers; ViT-B-32, random weights.

Every system gets the same HTTP requests from the same client process, over the same 20,000 vectors in the same store
engine; they run one after the other, in turns. `inline` and `executor` call open_clip's own `encode_text` for each
request; `*_truncated` call Clipline's encoder, still one request at a time. Figures at the largest number of users are
reported under the plain names, those of other loads with `_1`, `_8` behind.
"""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import httpx
import msgspec
import numpy as np
import uvloop

from bench.classic import STORED
from bench.load import Load
from bench.report import Figures, Report, arguments, emit, median_of, progress
from shared.clock import now_iso
from shared.jobs import Collection
from shared.settings import Settings
from workers.encoders.load import load_encoder
from workers.stores.protocol import Point
from workers.stores.qdrant_edge import QdrantEdgeStore

POINTS = 20_000
START_S = 120.0
MODEL = {"CLIPLINE_MODEL": "ViT-B-32", "CLIPLINE_PRETRAINED": "random"}
CLASSIC = ("inline", "executor", "inline_truncated", "executor_truncated")


async def fill(folder: Path) -> None:
    """Random unit vectors, (20,000, 512), under the fingerprint of the model that will search them."""
    settings = Settings(data_dir=str(folder), model="ViT-B-32", pretrained="random")
    info = load_encoder(settings).info
    known = Collection(name="bench", model=info.fingerprint, dim=info.dim, created_at=now_iso())
    draw = np.random.default_rng(0)
    vectors = draw.standard_normal((POINTS, info.dim)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    store = QdrantEdgeStore(settings)
    await store.start()
    await store.create(STORED, dim=info.dim, indexes={}, meta={"collection": msgspec.json.encode(known).decode()})
    points = [
        Point(id=number, vector=row.tobytes(), payload={"label": f"{number}"}) for number, row in enumerate(vectors)
    ]
    await store.upsert(STORED, points)
    await store.close()


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
    return port


@contextmanager
def serving(system: str, filled: Path) -> Iterator[str]:
    """The system's server over a copy of the filled store; yields its URL when it answers searches."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="clipline-bench-") as folder:
        shutil.copytree(filled / "vectors", Path(folder) / "vectors")
        module = ["-m", "bench.classic", system, folder, str(port)]
        if system == "clipline":
            module = ["-m", "cli.main", "up", "--data", folder, "--port", str(port)]
        process = subprocess.Popen(
            [sys.executable, *module], env={**os.environ, **MODEL}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            url = f"http://127.0.0.1:{port}"
            until_it_searches(url, process)
            yield url
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def until_it_searches(url: str, process: subprocess.Popen[bytes]) -> None:
    body = {"collection": "bench", "query": {"text": "warm up"}}
    ends = monotonic() + START_S
    while monotonic() < ends and process.poll() is None:
        try:
            if httpx.post(f"{url}/v1/search", params={"wait": "30"}, json=body, timeout=40).status_code == 200:
                return
        except httpx.TransportError:
            pass
        sleep(0.2)
    raise RuntimeError(f"{url} does not answer searches")


def measure(system: str, filled: Path, *, users: list[int], seconds: float, seed: int) -> Figures:
    figures: dict[str, float] = {}
    with serving(system, filled) as url:
        for count in users:
            found = uvloop.run(Load(url, users=count, seconds=seconds, seed=seed + count).run())
            ending = "" if count == max(users) else f"_{count}"
            figures |= {f"{name}{ending}": value for name, value in found.items()}
            progress(f"{system}, {count} users: {found}")
    return figures


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--users", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--seconds", type=float, default=10.0, help="of load for each system and number of users")
    chosen = parser.parse_args()
    rounds: dict[str, list[Figures]] = {system: [] for system in ("clipline", *CLASSIC)}
    with tempfile.TemporaryDirectory(prefix="clipline-bench-filled-") as folder:
        asyncio.run(fill(Path(folder)))
        for number in range(chosen.rounds):
            for system, figures in rounds.items():
                figures.append(
                    measure(system, Path(folder), users=chosen.users, seconds=chosen.seconds, seed=100 * number)
                )
    report = Report(figures={system: median_of(figures) for system, figures in rounds.items()})
    ours = report.figures["clipline"]["searches_s"]
    for system in CLASSIC:
        report.notes.append(
            f"{max(chosen.users)} users: {ours / report.figures[system]['searches_s']:.1f} times {system}"
        )
    emit(report, as_json=chosen.json)


if __name__ == "__main__":
    main()
