"""Clipline's throughput from 1 to 40 worker processes, and what one tenant's flood does to another.

Each worker has one slot and jobs that sleep 20 ms, as a device would take. `jobs_s_N` is the rate of N workers on a
full queue, `share_N` that rate against N times the rate of one, `redis_cpu_N` the share of a core that Redis used and
`machine_cpu_N` the share of all cores that everything used. In the second part two workers with 16 slots each serve a
tenant that sends one job of 50 ms after the other, first alone, then beside 10,000 queued jobs of another tenant:
`alone_*` and `flooded_*` are milliseconds from submit to the end.
"""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

import uvloop
from arq.connections import ArqRedis
from redis import Redis

from bench.own import job, settings_for
from bench.redis_load import cpu_s
from bench.report import Figures, Report, arguments, emit, median_of, percentile, progress
from bench.systems import SYSTEMS, Fleet, running
from shared.connection import connect
from shared.events import Events, of_jobs
from shared.jobs import FINAL
from shared.queue import Queue
from tests.redis_server import RedisServer

CLIPLINE = next(system for system in SYSTEMS if system.name == "clipline")
DEVICE_S = 0.02
PROBE_S = 0.05
SLOTS = 16
ENQUEUERS = 32
# Where a resource counts as used up.
FULL = 0.9


def machine_cpu() -> tuple[float, float]:
    """Busy and total seconds of all cores since the start of the machine (proc(5), /proc/stat)."""
    ticks = [int(value) for value in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    idle = ticks[3] + ticks[4]
    hertz = os.sysconf("SC_CLK_TCK")
    return (sum(ticks) - idle) / hertz, sum(ticks) / hertz


def throughput(fleet: Fleet, redis: "Redis[bytes]", seconds: float) -> Figures:
    """Of the workers that there are, on a queue that is full before they go on."""
    jobs = int(len(fleet.workers) * seconds / DEVICE_S)
    fleet.stop()
    before = fleet.counts.done()
    fleet.client.fill(jobs, f"sleep {DEVICE_S}")
    redis_before, (busy_before, total_before) = cpu_s(redis), machine_cpu()
    fleet.go_on()
    done, took_s = fleet.counts.reach(before + jobs, within_s=5 * seconds)
    busy, total = machine_cpu()
    return {
        "jobs_s": (done - before) / took_s,
        "redis_cpu": (cpu_s(redis) - redis_before) / took_s,
        "machine_cpu": (busy - busy_before) / (total - total_before),
    }


def limit(figures: Figures) -> str:
    """Which resource is used up."""
    if figures["redis_cpu"] >= FULL:
        return "Redis' core is full"
    return "all cores are full" if figures["machine_cpu"] >= FULL else "neither Redis nor the cores are full"


def scaling(server: RedisServer, counts: Sequence[int], seconds: float) -> tuple[dict[str, float], list[str]]:
    """Figures by number of workers, and in words what held back those below 90 % of linear."""
    figures: dict[str, float] = {}
    notes: list[str] = []
    server.flush()
    with Redis.from_url(server.url) as redis, running(CLIPLINE, server.url, slots=1) as fleet:
        for count in counts:
            fleet.grow(count)
            found = throughput(fleet, redis, seconds)
            figures |= {f"{name}_{count}": value for name, value in found.items()}
            share = found["jobs_s"] / (count * figures[f"jobs_s_{counts[0]}"] / counts[0])
            figures[f"share_{count}"] = share
            progress(f"{count} workers: {found['jobs_s']:.0f} jobs/s, {share:.0%} of linear, {limit(found)}")
            if share < FULL:
                notes.append(f"{count} workers: {share:.0%} of linear; {limit(found)}")
    return figures, notes


class Probe:
    """A tenant who sends one job, waits for its end, and sends the next."""

    def __init__(self, redis: ArqRedis, blocking: ArqRedis, queue: Queue) -> None:
        self.queue = queue
        self.events = Events(redis, blocking=blocking)

    async def round_trips(self, calls: int) -> list[float]:
        """Milliseconds from submit to end."""
        taken = []
        offset = await self.events.last()
        for _ in range(calls):
            started = perf_counter()
            sent = await self.queue.submit(job(f"sleep {PROBE_S}"), tenant="quiet")
            ended = False
            while not ended:
                happened = await self.events.follow(offset)
                offset = happened[-1].offset if happened else offset
                ended = any(event.job == sent.id and event.state in FINAL for event in of_jobs(happened))
            taken.append((perf_counter() - started) * 1000)
        return taken


async def flood(queue: Queue, jobs: int) -> None:
    async def some(number: int) -> None:
        for index in range(number, jobs, ENQUEUERS):
            # From half to one and a half of the probe's time, so that slots do not fall free all at once.
            seconds = PROBE_S * (0.5 + index % 101 / 100)
            await queue.submit(job(f"sleep {seconds:.4f}"), tenant="flood")

    await asyncio.gather(*(some(number) for number in range(ENQUEUERS)))


async def two_tenants(url: str, *, jobs: int, calls: int) -> Figures:
    settings = settings_for(url)
    async with connect(settings) as redis, connect(settings, blocking=True) as blocking:
        queue = Queue(redis, settings)
        probe = Probe(redis, blocking, queue)
        await probe.round_trips(5)
        alone = await probe.round_trips(calls)
        await flood(queue, jobs)
        flooded = await probe.round_trips(calls)
        left = (await queue.depths())["interactive"]
    p95 = percentile(alone, 0.95), percentile(flooded, 0.95)
    progress(f"alone {p95[0]:.1f} ms, beside a flood {p95[1]:.1f} ms, of which {left} jobs were left at the end")
    return {
        "alone_p50_ms": percentile(alone, 0.50),
        "alone_p95_ms": p95[0],
        "flooded_p50_ms": percentile(flooded, 0.50),
        "flooded_p95_ms": p95[1],
        "flooded_increase": p95[1] / p95[0] - 1,
        "flood_left": left,
    }


def fairness(server: RedisServer, *, jobs: int, calls: int) -> Figures:
    server.flush()
    with running(CLIPLINE, server.url, slots=SLOTS, workers=2):
        return uvloop.run(two_tenants(server.url, jobs=jobs, calls=calls))


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.set_defaults(rounds=1)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4, 8, 16, 24, 32, 40])
    parser.add_argument("--seconds", type=float, default=3.0, help="of work for each number of workers")
    parser.add_argument("--flood", type=int, default=10_000, help="jobs of the tenant that floods")
    parser.add_argument("--calls", type=int, default=150, help="jobs of the tenant that does not")
    chosen = parser.parse_args()
    rounds: list[Figures] = []
    notes: list[str] = []
    with RedisServer() as server:
        for _ in range(chosen.rounds):
            figures, held_back = scaling(server, chosen.workers, chosen.seconds)
            rounds.append({**figures, **fairness(server, jobs=chosen.flood, calls=chosen.calls)})
            notes = held_back
    report = Report(figures={"clipline": median_of(rounds)}, notes=notes)
    report.notes.append(f"load average: {os.getloadavg()[0]:.2f}, rounds: {chosen.rounds}")
    emit(report, as_json=chosen.json)


if __name__ == "__main__":
    main()
