"""Dispatch: round trips on an idle queue, no-op jobs/s and 30 ms jobs, beside the queues that Python has.

All systems take turns on one private Redis; each worker and client is a process of its own. `idle_*_ms` is from the
enqueue to the result in the client's hands. `noop_jobs_s` (`_4`: four worker processes) is the rate at which stopped
workers, once they go on, run a queue that is already full, so the client's work is not in it. `share_30ms_N` is the
throughput of 30 ms jobs on N slots of one worker as a share of the ideal. `commands_per_job`, `reads_per_job`,
`bytes_per_job` and `redis_us_per_job` are Redis' side of enqueuing and running a no-op, commands in scripts included.
`--latency-ms` puts every client and worker behind a proxy that delays answers by so much.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from os import getloadavg

from redis import Redis

from bench.peers.protocol import SLEEP_S
from bench.redis_load import observed
from bench.report import Figures, Report, arguments, emit, median_of, percentile, progress
from bench.systems import SYSTEMS, Fleet, System, running
from tests.redis_server import RedisServer

SLOTS = (1, 4, 16)
SLEEPERS_S = 1.5
DRAIN_S = 60.0


def idle(fleet: Fleet, calls: int) -> Figures:
    taken = fleet.client.idle(calls)
    return {"idle_p50_ms": percentile(taken, 0.50), "idle_p99_ms": percentile(taken, 0.99)}


def drain(fleet: Fleet, jobs: int, job: str, *, within_s: float = DRAIN_S) -> tuple[int, float]:
    """Fill the queue while the workers stand still, then let them go; returns jobs done and seconds."""
    fleet.stop()
    before = fleet.counts.done()
    fleet.client.fill(jobs, job)
    fleet.go_on()
    done, took_s = fleet.counts.reach(before + jobs, within_s=within_s)
    return done - before, took_s


def noops(fleet: Fleet, redis: "Redis[bytes]", jobs: int) -> Figures:
    with observed(redis) as load:
        done, took_s = drain(fleet, jobs, "noop")
    return {"noop_jobs_s": done / took_s, **load.per_job(done)}


def sleepers(fleet: Fleet, slots: int) -> float:
    """Share of the ideal that 30 ms jobs reach; twice the ideal's time is waited, then what is done counts."""
    jobs = int(SLEEPERS_S / SLEEP_S) * slots
    done, took_s = drain(fleet, jobs, "sleep", within_s=2 * SLEEPERS_S)
    return done * SLEEP_S / (slots * took_s)


def measure(system: System, server: RedisServer, url: str, *, jobs: int) -> Figures:
    figures: dict[str, float] = {}
    with Redis.from_url(server.url) as redis:
        server.flush()
        with running(system, url, slots=system.noop_slots) as fleet:
            figures |= {**idle(fleet, system.idle_calls), **noops(fleet, redis, jobs)}
        server.flush()
        with running(system, url, slots=system.noop_slots, workers=4) as fleet:
            done, took_s = drain(fleet, jobs, "noop")
            figures["noop_jobs_s_4"] = done / took_s
        for slots in SLOTS:
            server.flush()
            with running(system, url, slots=slots) as fleet:
                figures[f"share_30ms_{slots}"] = sleepers(fleet, slots)
    progress(f"{system.name}: { {name: round(value, 3) for name, value in figures.items()} }")
    return figures


@contextmanager
def reached(server: RedisServer, latency_ms: float) -> Iterator[str]:
    """The URL by which systems reach Redis: its socket, or the port of a proxy."""
    if not latency_ms:
        yield server.url
        return
    proxy = subprocess.Popen(
        [sys.executable, "-m", "bench.latency_proxy", str(server.socket), str(latency_ms)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert proxy.stdout is not None
    try:
        yield f"redis://127.0.0.1:{proxy.stdout.readline().strip()}/0"
    finally:
        proxy.kill()
        proxy.communicate()


def present(known: Sequence[System], names: Sequence[str]) -> tuple[list[System], list[str]]:
    """The chosen systems that can run, and a note on each that cannot."""
    chosen = [system for system in known if not names or system.name in names]
    notes = [
        f"{system.name} is missing: no environment, see python -m bench.peers.install"
        for system in chosen
        if system.missing
    ]
    return [system for system in chosen if not system.missing], notes


def rounds_of(systems: Sequence[System], chosen: argparse.Namespace) -> tuple[dict[str, list[Figures]], list[str]]:
    rounds: dict[str, list[Figures]] = {system.name: [] for system in systems}
    broken: list[str] = []
    with RedisServer() as server, reached(server, chosen.latency_ms) as url:
        for system in chain.from_iterable(systems for _ in range(chosen.rounds)):
            try:
                rounds[system.name].append(measure(system, server, url, jobs=chosen.jobs))
            except (RuntimeError, OSError, KeyError) as error:
                broken.append(f"{system.name} broke off: {error}")
                progress(broken[-1])
    return rounds, broken


def compare(report: Report) -> None:
    """Clipline against stock arq and against the best of the others; the floor is no queue."""
    ours = report.figures.get("clipline")
    others = {name: row for name, row in report.figures.items() if name not in ("clipline", "floor")}
    if ours is None or not others:
        return
    for figure, better in (("idle_p50_ms", min), ("idle_p99_ms", min), ("noop_jobs_s", max), ("noop_jobs_s_4", max)):
        best = better(others, key=lambda name: others[name][figure])
        for name in dict.fromkeys([best, *(["arq"] if "arq" in others else [])]):
            pair = (ours[figure], others[name][figure])
            ratio = pair[0] / pair[1] if better is max else pair[1] / pair[0]
            report.notes.append(f"{figure}: {ratio:,.1f} times {'the best, ' if name == best else ''}{name}")


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--jobs", type=int, default=5_000, help="no-op jobs to drain")
    parser.add_argument("--latency-ms", type=float, default=0.0, help="put Redis so far away")
    parser.add_argument("--systems", nargs="+", default=[], help="only these")
    chosen = parser.parse_args()
    systems, notes = present(SYSTEMS, chosen.systems)
    if not systems:
        parser.error("; ".join(notes) or f"no such system; there are {', '.join(one.name for one in SYSTEMS)}")
    load_before = getloadavg()[0]
    rounds, broken = rounds_of(systems, chosen)
    report = Report(figures={name: median_of(figures) for name, figures in rounds.items() if figures})
    compare(report)
    report.notes += [*notes, *broken, f"load average before: {load_before:.2f}, rounds: {chosen.rounds}"]
    emit(report, as_json=chosen.json)


if __name__ == "__main__":
    main()
