"""Redis goes and comes back; the API stays, says so, and recovers by itself."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from shared.settings import Settings
from tests.api.conftest import Client, make_collection
from tests.api.serving import Api, serving
from tests.api.stand_in import working
from tests.api.talking import talking
from tests.api.test_search import cat, problem
from tests.redis_server import RedisServer

pytestmark = pytest.mark.anyio

CALLS = [
    ("GET", "/v1/jobs"),
    ("GET", "/v1/jobs/x"),
    ("DELETE", "/v1/jobs/x"),
    ("POST", "/v1/jobs/x/retry"),
    ("GET", "/v1/collections"),
    ("GET", "/v1/collections/things"),
    ("PUT", "/v1/collections/things"),
    ("DELETE", "/v1/collections/things"),
    ("GET", "/v1/collections/things/items/1"),
    ("POST", "/v1/sessions"),
    ("GET", "/v1/workers"),
    ("GET", "/v1/queues"),
]


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with RedisServer(persistent=True) as server:
        yield server


@pytest.fixture
def away(server: RedisServer, tmp_path: Path) -> Settings:
    return Settings(redis_url=server.url, data_dir=str(tmp_path / "data"), port=0)


@pytest.fixture
def api(away: Settings) -> Iterator[Api]:
    with serving(away) as running:
        yield running


async def until_answered(client: Client) -> None:
    while (await client.get("/v1/collections")).status_code != 200:
        pass


async def test_every_route_says_503_and_then_works_again(
    api: Api, client: Client, server: RedisServer, away: Settings
) -> None:
    await make_collection(away, "default", "things")
    server.stop()

    for method, path in CALLS:
        response = await client.request(method, path)
        assert problem(response) == (503, "queue-away", None), (method, path)
        assert response.headers["retry-after"] == "1"
    search = await client.post("/v1/search", json=cat())
    upload = await client.post("/v1/collections/things/items", files=[("files", ("a", b"1"))])
    assert problem(search) == problem(upload) == (503, "queue-away", None)
    assert (await client.get("/healthz")).status_code == 200
    ready = await client.get("/readyz")
    assert (ready.status_code, ready.json()["redis"]) == (503, False)
    assert "clipline_redis_up 0.0" in (await client.get("/metrics")).text

    server.start()
    await until_answered(client)
    async with working(away):
        assert (await client.post("/v1/search?wait=20", json=cat())).json()["state"] == "succeeded"


async def test_who_waits_through_an_outage_gets_the_result(
    api: Api, client: Client, server: RedisServer, away: Settings
) -> None:
    await make_collection(away, "default", "things")
    async with talking(api) as talk:
        await talk.search("c1")
        job = (await talk.until("accepted"))[-1]["job"]
        await talk.until("event", state="queued")
        looking = asyncio.create_task(client.get(f"/v1/jobs/{job}?wait=30"))
        await client.get("/healthz")
        server.stop()
        server.start()
        async with working(away):
            last = (await talk.until("result"))[-1]
            found = await looking

    assert (last["id"], last["state"]) == ("c1", "succeeded")
    assert found.json()["state"] == "succeeded"


async def test_an_outage_that_loses_the_events_ends_connections_honestly(tmp_path: Path) -> None:
    with RedisServer() as server:
        settings = Settings(redis_url=server.url, data_dir=str(tmp_path / "data"), port=0)
        with serving(settings) as api:
            async with talking(api) as talk:
                server.stop()
                server.start()
                assert await talk.code() == 1013
            async with talking(api, session=talk.welcome["session"], after=talk.welcome["seq"]) as again:
                assert not again.welcome["recovered"]


async def test_the_api_starts_before_redis(tmp_path: Path) -> None:
    server = RedisServer()
    settings = Settings(redis_url=server.url, data_dir=str(tmp_path / "data"), port=0)
    with serving(settings) as api:
        async with httpx.AsyncClient(base_url=api.url, timeout=30) as client:
            assert (await client.get("/healthz")).status_code == 200
            assert problem(await client.get("/v1/jobs"))[:2] == (503, "queue-away")
            async with talking(api, welcomed=False) as talk:
                assert await talk.code() == 1013
            with server:
                await until_answered(client)
                async with talking(api) as talk:
                    assert talk.welcome["op"] == "welcome"
