"""What operators do: pause and drain, act on many jobs at once; each leaves a trace, none is open to others."""

from typing import Any

import httpx
import msgspec
import pytest
from typer.testing import CliRunner

from cli.main import app
from shared import keys
from shared.connection import connect
from shared.settings import Settings
from tests.api.conftest import MakeKey
from tests.api.serving import Api
from tests.api.stand_in import StandIn
from tests.workers.fleet import eventually

pytestmark = pytest.mark.anyio

Client = httpx.AsyncClient


def cat(text: str = "cat") -> dict[str, Any]:
    return {"collection": "things", "query": {"text": text}}


async def states(client: Client, **params: Any) -> list[str]:
    return [job["state"] for job in (await client.get("/v1/jobs", params=params)).json()["jobs"]]


async def test_a_paused_queue_accepts_and_hands_out_nothing_until_it_goes_on(
    client: Client, things: str, worker: StandIn
) -> None:
    paused = await client.post("/v1/queues/interactive/pause")
    assert (paused.status_code, paused.json()["paused"]) == (200, True)
    sent = (await client.post("/v1/search", json=cat())).json()
    assert (await client.get(f"/v1/jobs/{sent['id']}", params={"wait": 0.8})).json()["state"] == "queued"
    assert (await client.post("/v1/queues/interactive/resume")).json()["paused"] is False
    assert (await client.get(f"/v1/jobs/{sent['id']}", params={"wait": 10})).json()["state"] == "succeeded"
    entries = (await client.get("/v1/audit")).json()["entries"]
    assert [(one["action"], one["target"]) for one in entries] == [
        ("lane.resume", "interactive"),
        ("lane.pause", "interactive"),
    ]


async def test_an_unknown_queue_or_worker_is_404(client: Client) -> None:
    for path, slug in (("queues/none/pause", "lane-not-found"), ("workers/none/drain", "worker-not-found")):
        answer = await client.post(f"/v1/{path}")
        assert (answer.status_code, answer.json()["type"]) == (404, slug)


async def test_a_worker_is_asked_to_drain_at_once(client: Client, settings: Settings, worker: StandIn) -> None:
    async with connect(settings) as redis, redis.pubsub() as channel:
        await channel.subscribe(keys.CONTROL)
        assert (await client.post("/v1/workers/w1/drain")).status_code == 202
        message = await eventually(lambda: channel.get_message(ignore_subscribe_messages=True, timeout=1))
        assert message["data"] == b"drain w1"
        assert await redis.exists(keys.drain("w1"))


async def test_waiting_jobs_are_cancelled_by_filter(client: Client, things: str) -> None:
    for text in ("red cat", "red dog", "blue cat"):
        await client.post("/v1/search", json=cat(text))
    swept = (await client.post("/v1/jobs/cancel", json={"q": "red"})).json()
    assert swept == {"state": "queued", "done": 2, "skipped": 0, "next": None}
    assert await states(client, q="blue") == ["queued"]
    assert await states(client, q="red") == ["cancelled", "cancelled"]
    [entry] = (await client.get("/v1/audit")).json()["entries"]
    assert (entry["action"], entry["done"]) == ("jobs.cancel", 2)


async def test_ended_jobs_are_replayed_and_purged_by_filter(client: Client, things: str, worker: StandIn) -> None:
    for text in ("fail one", "fail two"):
        assert (await client.post("/v1/search", params={"wait": 10}, json=cat(text))).json()["state"] == "failed"
    replayed = (await client.post("/v1/jobs/replay", json={"state": "failed"})).json()
    assert replayed["done"] == 2
    await eventually(lambda: _all_are(client, "failed"))
    purged = (await client.post("/v1/jobs/purge", json={"state": "failed"})).json()
    assert (purged["done"], await states(client)) == (2, [])


async def _all_are(client: Client, state: str) -> bool:
    return set(await states(client)) == {state}


async def test_a_sweep_is_bounded_and_goes_on_where_it_stopped(client: Client, things: str) -> None:
    for number in range(5):
        await client.post("/v1/search", json=cat(str(number)))
    first = (await client.post("/v1/jobs/cancel", json={"limit": 3})).json()
    rest = (await client.post("/v1/jobs/cancel", json={"limit": 3, "before": first["next"]})).json()
    assert (first["done"], rest["done"], rest["next"]) == (3, 2, None)


async def test_replaying_stops_at_a_full_lane(settings: Settings, make_key: MakeKey, api: Api) -> None:
    from shared.jobs import Query, Search
    from shared.queue import Queue
    from shared.selection import Sweep
    from shared.sweeps import Sweeps

    async with connect(settings) as redis:
        wide = Queue(redis, settings)
        sent = [await wide.submit(Search(collection="p", query=Query(text="a")), tenant="t") for _ in range(3)]
        for one in sent:
            await wide.cancel("t", one.id)
        narrow = Queue(redis, msgspec.structs.replace(settings, max_queued_interactive=2))
        swept = await Sweeps(narrow).run("replay", "t", Sweep(state="cancelled"))
        assert (swept.done, swept.next is not None) == (2, True)
        again = await Sweeps(wide).run("replay", "t", Sweep(state="cancelled", before=swept.next))
        assert (again.done, again.next) == (1, None)


async def test_a_state_that_does_not_fit_is_422(client: Client) -> None:
    for verb, state in (("cancel", "dead"), ("replay", "succeeded"), ("purge", "running")):
        answer = await client.post(f"/v1/jobs/{verb}", json={"state": state})
        assert (answer.status_code, answer.json()["field"]) == (422, "state")


async def test_only_operators_may(keyed: Api, make_key: MakeKey) -> None:
    calls = [
        ("POST", "/v1/queues/bulk/pause"),
        ("POST", "/v1/workers/w1/drain"),
        ("POST", "/v1/jobs/purge"),
        ("GET", "/v1/audit"),
    ]
    for role in ("user", "viewer"):
        key = make_key("a", role)
        async with httpx.AsyncClient(base_url=keyed.url, timeout=30, headers={"X-API-Key": key}) as client:
            assert [(await client.request(method, path)).status_code for method, path in calls] == [403] * 4


async def test_another_tenants_sweeps_are_not_told(keyed: Api, make_key: MakeKey) -> None:
    ours, theirs = make_key("a", "operator"), make_key("b", "operator")
    async with httpx.AsyncClient(base_url=keyed.url, timeout=30) as client:
        await client.post("/v1/jobs/cancel", json={}, headers={"X-API-Key": theirs})
        await client.post("/v1/queues/bulk/pause", headers={"X-API-Key": theirs})
        entries = (await client.get("/v1/audit", headers={"X-API-Key": ours})).json()["entries"]
    assert [one["action"] for one in entries] == ["lane.pause"]


def test_the_command_line_does_all_of_it(api: Api) -> None:
    runner = CliRunner()
    for words, said in (
        (["queues", "pause", "bulk"], "bulk is paused"),
        (["queues", "resume", "bulk"], "bulk goes on"),
        (["jobs", "cancel-all"], "0 cancelled"),
        (["jobs", "replay"], "0 queued again"),
        (["jobs", "purge", "--state", "failed"], "0 forgotten"),
    ):
        done = runner.invoke(app, [*words, "--url", api.url])
        assert (done.exit_code, done.stdout.strip()) == (0, said)
    assert "bulk" in runner.invoke(app, ["queues", "--url", api.url]).stdout
    assert runner.invoke(app, ["workers", "--url", api.url]).exit_code == 0
