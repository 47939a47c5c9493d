"""What the dashboard asks of Redis is bounded, and does not grow with the ledger."""

from collections.abc import AsyncIterator

import httpx
import msgspec
import pytest
from arq.connections import ArqRedis

from bench.dashboard import PAGES, TEAMS, places, ran
from bench.ledgers import fill
from shared.connection import connect
from shared.settings import Settings
from tests.api.serving import Api, serving

pytestmark = pytest.mark.anyio

JOBS = 8_000
# An overview reads at most 96 steps of two lanes and of the fleet, and the last minute; a list fifty records, and what
# it takes to find them. The accountant and the dispatcher add theirs now and then.
BACKGROUND = 40
BOUNDS = {"overview": 330, "jobs": 130, "all": 1_900, "dead": 20, "detail": 12, "tenants": 900}
OTHERS = 5


@pytest.fixture
async def redis(settings: Settings) -> AsyncIterator[ArqRedis]:
    async with connect(settings) as client:
        await fill(client, JOBS)
        await fill(client, JOBS // 2, tenants=TEAMS)
        yield client


def bound_of(page: str) -> int:
    return BOUNDS.get(page.partition("_")[0], OTHERS) + BACKGROUND


async def test_every_page_asks_for_little_however_large_the_ledger_is(redis: ArqRedis, settings: Settings) -> None:
    with serving(msgspec.structs.replace(settings, keep_jobs=2 * JOBS)) as api:
        counts = await counted(api, redis, settings)
    assert {page: count for page, count in counts.items() if count > bound_of(page)} == {}


async def counted(api: Api, redis: ArqRedis, settings: Settings) -> dict[str, int]:
    given = await places(settings.redis_url)
    counts: dict[str, int] = {}
    async with httpx.AsyncClient(base_url=f"{api.url}/v1/", timeout=60) as client:
        for page, paths in PAGES.items():
            before = await ran(redis)
            for path in paths:
                answer = await client.get(path.format(**given))
                assert answer.status_code == 200, (page, answer.text)
            counts[page] = await ran(redis) - before
    return counts
