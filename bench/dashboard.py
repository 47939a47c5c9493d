"""The dashboard over a large ledger: what each of its pages costs the server.

For each page `*_work_ms` is the mean time that API and Redis computed for it, whatever else ran on the machine, `*_ms`
the median time from its first request to the last answer, over HTTP, one request after the other, and `*_commands` how
many commands Redis ran for it, which does not grow with the ledger. Pages of `all` tenants look at 64 of them,
one with the large ledger, the others with half as many jobs together. `fill_s` is how long it took to make the ledger,
`redis_mib` what it takes there with its index.
"""

import asyncio
import tempfile
from collections.abc import Mapping
from os import getloadavg
from time import clock_gettime, perf_counter, pthread_getcpuclockid

import httpx
import uvloop
from arq.connections import ArqRedis

from bench.ledgers import TENANT, fill
from bench.report import Report, arguments, emit, percentile, progress
from shared import keys
from shared.clock import iso
from shared.connection import connect
from shared.ledger import MOST_TENANTS
from shared.settings import Settings
from tests.api.serving import Api, serving
from tests.redis_server import RedisServer

MIB = 2**20
# Beside the tenant with the large ledger: as many as a list of all looks at, with half as many jobs together.
TEAMS = tuple(f"team-{number}" for number in range(MOST_TENANTS - 1))
# What a page of the dashboard asks for, in the order of its requests.
PAGES: dict[str, tuple[str, ...]] = {
    "overview_1h": ("statistics?span=1h", "queues", "workers"),
    "overview_24h": ("statistics?span=24h", "queues", "workers"),
    "overview_7d": ("statistics?span=7d", "queues", "workers"),
    "jobs": ("jobs?limit=50", "jobs/states"),
    "jobs_deep": ("jobs?limit=50&before={middle}", "jobs/states"),
    "jobs_state": ("jobs?limit=50&state=failed", "jobs/states"),
    "jobs_word": ("jobs?limit=50&q=cat", "jobs/states"),
    "jobs_words": ("jobs?limit=50&q=happy+cat&state=failed", "jobs/states"),
    "jobs_rare": ("jobs?limit=50&q=unicorn", "jobs/states"),
    "jobs_none": ("jobs?limit=50&q=nosuchword", "jobs/states"),
    "jobs_error": ("jobs?limit=50&error=bad-picture&collection=scans", "jobs/states"),
    "jobs_worst": ("jobs?limit=50&state=failed&collection=scans&worker=worker-0&q=happy+king", "jobs/states"),
    "jobs_by_id": ("jobs?limit=50&q={prefix}", "jobs/states"),
    "jobs_hour": ("jobs?limit=50&since={hour}&q=cat", "jobs/states"),
    "all_tenants": ("jobs?limit=50&tenant=*", "jobs/states?tenant=*"),
    "all_deep": ("jobs?limit=50&tenant=*&before={middle}", "jobs/states?tenant=*"),
    "all_state": ("jobs?limit=50&tenant=*&state=failed", "jobs/states?tenant=*"),
    "all_words": ("jobs?limit=50&tenant=*&q=happy+cat&state=failed", "jobs/states?tenant=*"),
    "all_rare": ("jobs?limit=50&tenant=*&q=unicorn", "jobs/states?tenant=*"),
    "all_none": ("jobs?limit=50&tenant=*&q=nosuchword", "jobs/states?tenant=*"),
    "all_error": ("jobs?limit=50&tenant=*&error=bad-picture&collection=scans", "jobs/states?tenant=*"),
    "all_by_id": ("jobs?limit=50&tenant=*&q={prefix}", "jobs/states?tenant=*"),
    "detail": ("jobs/{job}", "jobs/{job}/request"),
    "dead": ("jobs?limit=50&state=dead", "jobs/states"),
    "workers": ("workers",),
    "collections": ("collections",),
    "tenants": ("tenants",),
    "trail": ("audit?limit=100",),
}


async def places(redis_url: str) -> Mapping[str, str]:
    """What the addresses leave open: a job and a time in the middle of the ledger."""
    async with connect(Settings(redis_url=redis_url)) as redis:
        count = await redis.zcard(keys.jobs(TENANT))
        [(job, created)] = await redis.zrange(keys.jobs(TENANT), count // 2, count // 2, withscores=True)
    job_id = job.decode()
    return {"job": job_id, "prefix": job_id[:8], "middle": f"{created:.0f}-{job_id}", "hour": iso(created) or ""}


async def measured(api: Api, redis_url: str, rounds: int) -> dict[str, float]:
    figures: dict[str, float] = {}
    given = await places(redis_url)
    async with connect(Settings(redis_url=redis_url)) as redis, httpx.AsyncClient(base_url=f"{api.url}/v1/") as client:
        for page, paths in PAGES.items():
            addresses = [path.format(**given) for path in paths]
            await _once(client, addresses)
            before, commands = await work_ms(api, redis), await ran(redis)
            times_ms = [await _once(client, addresses) for _ in range(rounds)]
            after = await work_ms(api, redis)
            figures[f"{page}_work_ms"] = (after - before) / rounds
            # Both looks at Redis are commands themselves.
            figures[f"{page}_commands"] = round((await ran(redis) - commands - 2) / rounds, 1)
            figures[f"{page}_ms"] = percentile(times_ms, 0.5)
            progress(" ".join(f"{name} {figures[name]:.1f}" for name in figures if name.startswith(page)))
    return figures


async def _once(client: httpx.AsyncClient, addresses: list[str]) -> float:
    began = perf_counter()
    for address in addresses:
        (await client.get(address)).raise_for_status()
    return (perf_counter() - began) * 1000


async def ran(redis: ArqRedis) -> int:
    told = await redis.info("stats")
    return int(told["total_commands_processed"])


async def work_ms(api: Api, redis: ArqRedis) -> float:
    """Processor time of the API's thread and of Redis since they started."""
    told = await redis.info("cpu")
    assert api.thread.ident is not None, "the API runs"
    thread_s = clock_gettime(pthread_getcpuclockid(api.thread.ident))
    return (thread_s + float(told["used_cpu_user"]) + float(told["used_cpu_sys"])) * 1000


async def filled(redis_url: str, count: int) -> dict[str, float]:
    async with connect(Settings(redis_url=redis_url)) as redis:
        began = perf_counter()
        await fill(redis, count)
        await fill(redis, count // 2, tenants=TEAMS)
        took_s = perf_counter() - began
        told = await redis.info("memory")
    return {"fill_s": took_s, "redis_mib": told["used_memory"] / MIB}


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.set_defaults(rounds=50)
    parser.add_argument("--jobs", type=int, default=100_000, help="entries of the ledger")
    chosen = parser.parse_args()
    with RedisServer() as server, tempfile.TemporaryDirectory(prefix="clipline-bench-") as folder:
        figures = uvloop.run(filled(server.url, chosen.jobs))
        progress(f"{chosen.jobs} jobs in {figures['fill_s']:.1f} s")
        settings = Settings(
            redis_url=server.url, data_dir=folder, port=0, keep_jobs=2 * chosen.jobs, operators_see="all"
        )
        with serving(settings) as api:
            figures |= asyncio.run(measured(api, server.url, chosen.rounds))
    slowest = max((name for name in figures if name.endswith("_work_ms")), key=lambda name: figures[name])
    notes = [f"the most work: {slowest} {figures[slowest]:.1f} ms", f"load average {getloadavg()[0]:.2f}"]
    emit(
        Report(figures={"clipline": {name: round(value, 2) for name, value in figures.items()}}, notes=notes),
        as_json=chosen.json,
    )


if __name__ == "__main__":
    main()
