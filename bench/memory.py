"""Whether Redis and a worker stay as large as they are: memory at the start, in the middle and at the end of many jobs.

`start` is when the ledger is full for the first time (twice `keep_jobs`), so that what follows must not grow.
`redis_*_mib` is Redis' `used_memory`, `worker_*_mib` and `client_*_mib` are resident sizes, `keys_*` is DBSIZE.
"""

from os import getloadavg
from pathlib import Path

from redis import Redis

from bench.own import settings_for
from bench.report import Report, arguments, emit, progress
from bench.systems import SYSTEMS, Fleet, running
from tests.redis_server import RedisServer

CLIPLINE = next(system for system in SYSTEMS if system.name == "clipline")
STEP = 5_000
STEP_S = 120.0
MIB = 2**20


def resident_mib(pid: int) -> float:
    """Resident memory of a process (proc(5), VmRSS is in KiB)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024


def sizes(fleet: Fleet, redis: "Redis[bytes]", when: str) -> dict[str, float]:
    found = {
        f"redis_{when}_mib": redis.info("memory")["used_memory"] / MIB,
        f"worker_{when}_mib": resident_mib(fleet.workers[0].pid),
        f"client_{when}_mib": resident_mib(fleet.client.pid),
        f"keys_{when}": redis.dbsize(),
    }
    progress(f"{fleet.counts.done()} jobs: { {name: round(value, 2) for name, value in found.items()} }")
    return found


def run_jobs(fleet: Fleet, until: int) -> None:
    """Fill and empty the queue in steps until so many jobs are done."""
    while (done := fleet.counts.done()) < until:
        jobs = min(STEP, until - done)
        fleet.client.fill(jobs, "noop")
        reached, _ = fleet.counts.reach(done + jobs, within_s=STEP_S)
        assert reached >= done + jobs, "the worker does not keep up"


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--jobs", type=int, default=100_000, help="jobs in all")
    chosen = parser.parse_args()
    start = min(2 * settings_for("").keep_jobs, chosen.jobs // 2)
    figures: dict[str, float] = {}
    with (
        RedisServer() as server,
        Redis.from_url(server.url) as redis,
        running(CLIPLINE, server.url, slots=100) as fleet,
    ):
        for when, until in (("start", start), ("middle", (start + chosen.jobs) // 2), ("end", chosen.jobs)):
            run_jobs(fleet, until)
            figures |= sizes(fleet, redis, when)
    growth = (
        figures["redis_end_mib"] / figures["redis_start_mib"],
        figures["worker_end_mib"] / figures["worker_start_mib"],
    )
    notes = [f"from start to end Redis grew by {growth[0] - 1:.1%}, the worker by {growth[1] - 1:.1%}"]
    notes.append(f"{chosen.jobs} jobs, load average {getloadavg()[0]:.2f}")
    report = Report(figures={"clipline": {name: round(value, 2) for name, value in figures.items()}}, notes=notes)
    emit(report, as_json=chosen.json)


if __name__ == "__main__":
    main()
