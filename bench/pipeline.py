"""How busy searches keep a device that has nothing else to share: closed-loop users against a worker whose device is
simulated (`bench.paced`), so that it needs no CPU of this machine.

On a machine whose model computes on the CPUs that API, Redis and store need too, `bench.search` says what they cost
each other; this says what is lost between them. The pace is near that of ViT-B-32's texts on one core: 5 ms for a batch
and 3 for each text. `limit` is that device alone, in the sizes of `bench.encoder_limit`, the best of which counts;
`share_of_limit` is what searches have of it, `share_of_half` of what it does with batches of half the users, the most
there can be while the other half waits. `device_busy` is a share of the time.
"""

import asyncio
import os
import shutil
import tempfile
from pathlib import Path

from bench.encoder_limit import MODEL, limit_of
from bench.paced import PACE, load
from bench.push_stack import stack
from bench.report import Figures, Report, arguments, emit, median_of, progress
from bench.search import POINTS, WARM_S, Served, fill, free_port, loaded, until_it_searches
from shared.settings import from_env


def searched(filled: Path, *, users: int, seconds: float, seed: int) -> dict[str, float]:
    """Under load from `users`, over a copy of the filled store."""
    port = free_port()
    more = {**MODEL, "CLIPLINE_METRICS_LISTEN": f"127.0.0.1:{port}", "CLIPLINE_THREADS": "1"}
    with tempfile.TemporaryDirectory(prefix="clipline-bench-") as folder:
        shutil.copytree(filled / "vectors", Path(folder) / "vectors")
        with stack(folder, worker="bench.paced", more=more) as running:
            served = Served(running.server.url, running.server.pid)
            loops = {"api": served.url, "worker": f"http://127.0.0.1:{port}"}
            until_it_searches(served.url)
            loaded(served, loops, users=users, seconds=WARM_S, seed=seed + 1)
            return loaded(served, loops, users=users, seconds=seconds, seed=seed)


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--users", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=8.0, help="of load in each round")
    parser.add_argument("--points", type=int, default=POINTS, help="vectors to search in")
    parser.add_argument("--pace", default="5,3", help="ms of a batch and of each text in it")
    chosen = parser.parse_args()
    os.environ[PACE] = chosen.pace
    encoder = load(from_env({**os.environ, **MODEL}))
    rounds: dict[str, list[Figures]] = {"clipline": [], "limit": []}
    with tempfile.TemporaryDirectory(prefix="clipline-bench-filled-") as folder:
        asyncio.run(fill(Path(folder), encoder, count=chosen.points))
        for seed in range(0, 100 * chosen.rounds, 100):
            found = searched(Path(folder), users=chosen.users, seconds=chosen.seconds, seed=seed)
            rounds["clipline"].append(found)
            rounds["limit"].append(limit_of(encoder, chosen.seconds / 4, seed))
            progress(f"{found}, limit {rounds['limit'][-1]}")
    figures = {system: dict(median_of(found)) for system, found in rounds.items()}
    ours = figures["clipline"]
    ours["share_of_limit"] = ours["searches_s"] / figures["limit"]["searches_s"]
    batch_ms, each_ms = map(float, chosen.pace.split(","))
    half = chosen.users / 2
    ours["share_of_half"] = ours["searches_s"] / (1_000 * half / (batch_ms + half * each_ms))
    emit(Report(figures=figures), as_json=chosen.json)


if __name__ == "__main__":
    main()
