"""Several models as clients and operators see them: lanes of their own, names that exist, models that nobody holds."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner

from cli.main import app
from shared import keys
from shared.collections import Collections, from_spec
from shared.connection import connect
from shared.fleet import Fleet
from shared.jobs import CollectionSpec
from shared.queue import Queue
from shared.settings import Settings
from shared.tenants import DEFAULT_TENANT, add
from tests.api.serving import serving
from tests.api.stand_in import heartbeat, working
from tests.cli.pictures import draw
from tests.e2e.running import clipline

pytestmark = pytest.mark.anyio

Client = httpx.AsyncClient
LANES = ["interactive", "bulk", "interactive@photo", "bulk@photo"]


@pytest.fixture
def several(settings: Settings) -> Settings:
    return msgspec.structs.replace(settings, models="photo=ViT-L-14/random")


@pytest.fixture
async def client(several: Settings) -> AsyncIterator[Client]:
    with serving(several) as api:
        async with httpx.AsyncClient(base_url=api.url, timeout=30) as client:
            yield client


async def collection(settings: Settings, name: str, model_name: str) -> str:
    async with connect(settings) as redis:
        await Collections(redis).put(DEFAULT_TENANT, from_spec(name, CollectionSpec(model_name=model_name)))
    return name


async def beat(settings: Settings, worker_id: str, *models: str, state: str = "running") -> None:
    async with connect(settings) as redis:
        await Fleet(redis).beat(msgspec.structs.replace(heartbeat(*models), id=worker_id, state=state))


async def holders(client: Client) -> dict[str, float]:
    """What Prometheus reads of who holds which model."""
    families = text_string_to_metric_families((await client.get("/metrics")).text)
    [family] = [one for one in families if one.name == "clipline_model_workers"]
    return {one.labels["model_name"]: one.value for one in family.samples}


def cat(name: str) -> dict[str, Any]:
    return {"collection": name, "query": {"text": "cat"}}


async def test_a_job_waits_in_the_lane_of_its_collections_model(client: Client, several: Settings) -> None:
    await collection(several, "shots", "photo")
    await collection(several, "icons", "default")
    sent = [(await client.post("/v1/search", json=cat(name))).json() for name in ("shots", "icons")]
    assert [one["lane"] for one in sent] == ["interactive", "interactive"]
    jobs = [(await client.get(f"/v1/jobs/{one['id']}")).json() for one in sent]
    assert [one["model_name"] for one in jobs] == ["photo", "default"]
    files = {"files": [{"source": "a.png", "path": "/a.png"}]}
    assert (await client.post("/v1/collections/shots/items", json=files)).status_code == 202
    queues = (await client.get("/v1/queues")).json()["queues"]
    assert [(one["name"], one["model_name"], one["depth"]) for one in queues] == list(
        zip(LANES, ["default", "default", "photo", "photo"], [1, 0, 1, 1], strict=True)
    )
    assert [one["name"] for one in (await client.get("/v1/statistics")).json()["lanes"]] == LANES
    told = (await client.get("/metrics")).text
    assert 'clipline_lane_depth{lane="interactive@photo"} 1.0' in told


async def test_the_bound_of_a_lane_counts_for_each_model_alone(settings: Settings) -> None:
    small = msgspec.structs.replace(settings, models="photo=ViT-L-14/random", max_queued_interactive=1)
    await collection(small, "shots", "photo")
    await collection(small, "icons", "default")
    with serving(small) as api:
        async with httpx.AsyncClient(base_url=api.url, timeout=30) as client:
            codes = [
                (await client.post("/v1/search", json=cat(name))).status_code for name in ("shots", "shots", "icons")
            ]
    assert codes == [202, 503, 202]


async def test_a_models_lane_is_paused_without_the_others(client: Client, several: Settings) -> None:
    paused = (await client.post("/v1/queues/interactive@photo/pause")).json()
    assert (paused["name"], paused["paused"]) == ("interactive@photo", True)
    assert [one["paused"] for one in (await client.get("/v1/queues")).json()["queues"]] == [False, False, True, False]
    words = ["queues", "resume", "interactive@photo", "--url", str(client.base_url)]
    run = await asyncio.to_thread(CliRunner().invoke, app, words)
    assert run.exit_code == 0, run.output
    assert not any(one["paused"] for one in (await client.get("/v1/queues")).json()["queues"])
    assert (await client.post("/v1/queues/interactive@none/pause")).json()["type"] == "lane-not-found"


async def test_a_model_that_does_not_exist_is_named(client: Client, several: Settings) -> None:
    made = await client.put("/v1/collections/c", json={"model_name": "foto"})
    await collection(several, "shots", "photo")
    moved = await client.post("/v1/collections/shots/reindex", json={"model_name": "foto"})
    for answer in (made, moved):
        assert (answer.status_code, answer.json()["field"]) == (422, "model_name")
        assert "default, photo" in answer.json()["detail"]
    # As it is there already with another model.
    differs = await client.put("/v1/collections/shots", json={"model_name": "default"})
    same = await client.put("/v1/collections/shots", json={})
    assert (differs.status_code, same.status_code) == (409, 200)
    assert same.json()["model_name"] == "photo"


async def test_a_collection_of_a_model_that_is_gone_says_how_to_move_it(client: Client, several: Settings) -> None:
    await collection(several, "old", "gone")
    searched = await client.post("/v1/search", json=cat("old"))
    assert (searched.status_code, searched.json()["type"]) == (409, "model-mismatch")
    assert "reindex old --model" in searched.json()["detail"]
    assert (await client.post("/v1/collections/old/reindex")).json()["type"] == "model-mismatch"
    moving = await client.post("/v1/collections/old/reindex", json={"model_name": "photo"})
    assert moving.status_code == 202
    assert (await client.get(f"/v1/jobs/{moving.json()['id']}")).json()["model_name"] == "photo"


async def test_a_model_that_nobody_holds_is_told_and_holds_up_no_others(client: Client, several: Settings) -> None:
    await collection(several, "shots", "photo")
    assert (await client.get("/readyz")).json()["workers"] == 0
    async with working(several):
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()["ready"], ready.json()["missing"]) == (200, True, ["photo"])
        # Reading needs no encoder: it goes to whom there is.
        assert (await client.get("/v1/collections/shots/items/1")).status_code == 200
        waits = (await client.post("/v1/search", json=cat("shots"))).json()
        assert waits["state"] == "queued"
        await beat(several, "w2", "photo")
        assert "missing" not in (await client.get("/readyz")).json()
    workers = (await client.get("/v1/workers")).json()["workers"]
    assert {one["id"]: [held["name"] for held in one["models"]] for one in workers} == {"w1": [], "w2": ["photo"]}


async def test_who_takes_jobs_of_each_model_is_counted(client: Client, several: Settings) -> None:
    await collection(several, "old", "gone")
    assert await holders(client) == {"default": 0, "photo": 0, "gone": 0}
    await beat(several, "w2", "photo", "default")
    await beat(several, "w3", "photo")
    await beat(several, "w4", "default", state="draining")
    # One of a release that told of no models.
    await beat(several, "w5")
    assert await holders(client) == {"default": 2, "photo": 2, "gone": 0}


async def test_models_that_collections_of_any_tenant_name_are_counted(settings: Settings, tmp_path: Path) -> None:
    keys_file = tmp_path / "keys.toml"
    async with connect(settings) as redis:
        for tenant, model_name in (("a", "theirs"), ("b", "default"), ("nobody", "unreachable")):
            await Collections(redis).put(tenant, from_spec("c", CollectionSpec(model_name=model_name)))
    for tenant in ("a", "b"):
        add(keys_file, tenant=tenant, role="user")
    with serving(msgspec.structs.replace(settings, keys_file=str(keys_file))) as api:
        async with httpx.AsyncClient(base_url=api.url, timeout=30) as client:
            assert await holders(client) == {"default": 0, "theirs": 0}


async def test_the_command_line_makes_and_moves_collections_of_a_model(client: Client, several: Settings) -> None:
    async def clipline(*words: str) -> str:
        run = await asyncio.to_thread(CliRunner().invoke, app, [*words, "--url", str(client.base_url)])
        assert run.exit_code == 0, run.output
        return run.output

    async with working(several, models=("default", "photo")):
        await clipline("collections", "create", "shots", "--model", "photo")
        assert (await client.get("/v1/collections/shots")).json()["model_name"] == "photo"
        [row] = [line for line in (await clipline("collections")).splitlines() if line.startswith("shots")]
        assert row.split()[2] == "photo"
        await clipline("collections", "reindex", "shots", "--model", "default")
        assert "default, photo" in await clipline("workers")
        await clipline("collections", "drop", "shots", "--yes")
    [moved] = (await client.get("/v1/jobs", params={"kind": "reindex"})).json()["jobs"]
    assert (moved["model_name"], moved["state"]) == ("default", "succeeded")


async def test_ingest_makes_a_collection_of_a_model_and_refuses_one_of_another(
    client: Client, several: Settings, tmp_path: Path
) -> None:
    async def ingest(*more: str) -> tuple[int, str]:
        words = ("ingest", str(tmp_path), "-c", "shots", *more)
        done = await asyncio.to_thread(partial(clipline, *words, url=str(client.base_url)))
        return done.returncode, done.stderr

    draw(tmp_path / "a.png", 1)
    async with working(several, models=("default", "photo")):
        code, told = await ingest("--model", "foto")
        assert (code, "there is default, photo" in told) == (1, True), told
        assert (await ingest("--model", "photo"))[0] == 0
        assert (await client.get("/v1/collections/shots")).json()["model_name"] == "photo"
        for same in ((), ("--model", "photo", "--no-create")):
            assert (await ingest(*same))[0] == 0
        before = (await client.get("/v1/jobs", params={"kind": "ingest"})).json()["jobs"]
        code, told = await ingest("--model", "default")
        assert (code, "collections reindex shots --model default" in told) == (1, True), told
        assert (await client.get("/v1/jobs", params={"kind": "ingest"})).json()["jobs"] == before


async def test_a_job_of_a_model_that_is_gone_is_not_run_again(settings: Settings, several: Settings) -> None:
    name = await collection(several, "shots", "photo")
    with serving(several) as api:
        async with httpx.AsyncClient(base_url=api.url, timeout=30) as client:
            sent = (await client.post("/v1/search", json=cat(name))).json()["id"]
            await client.delete(f"/v1/jobs/{sent}")
    with serving(settings) as api:
        async with httpx.AsyncClient(base_url=api.url, timeout=30) as client:
            again = await client.post(f"/v1/jobs/{sent}/retry")
    assert (again.status_code, again.json()["type"]) == (409, "job-not-retryable")
    async with connect(settings) as redis:
        assert await redis.zcard(keys.queue("interactive@photo")) == 0
        assert await Queue(redis, several).depths() == dict.fromkeys(LANES, 0)
