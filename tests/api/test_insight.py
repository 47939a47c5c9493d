"""What the dashboard reads and does: by role, by tenant, in read-only mode, and told when to read again."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest

from shared.connection import connect
from shared.jobs import Query, Search
from shared.queue import Queue
from shared.requests import SHOWN, request_of
from shared.settings import Settings
from tests.api.conftest import Client, MakeKey, make_collection
from tests.api.serving import Api, serving
from tests.api.stand_in import StandIn
from tests.api.talking import talking
from tests.workers.fleet import eventually

pytestmark = pytest.mark.anyio


def cat(text: str = "cat") -> dict[str, Any]:
    return {"collection": "things", "query": {"text": text}}


def client_of(api: Api, key: str) -> Client:
    return httpx.AsyncClient(base_url=api.url, headers={"X-API-Key": key}, timeout=30)


@pytest.fixture
async def other_tenant(keyed: Api, make_key: MakeKey, settings: Settings) -> AsyncIterator[tuple[Client, str]]:
    """An operator of one tenant, and the id of a job of another."""
    await make_collection(settings, "theirs", "things")
    async with client_of(keyed, make_key("theirs", "user")) as theirs:
        job_id = (await theirs.post("/v1/search", json=cat("a secret cat"))).json()["id"]
    async with client_of(keyed, make_key("ours", "operator")) as ours:
        yield ours, job_id


async def test_who_looks_is_told_what_is_allowed(keyed: Api, make_key: MakeKey) -> None:
    wanted = {"operator": (True, True), "viewer": (True, False), "user": (False, False)}
    for role, (may_operate, may_control) in wanted.items():
        async with client_of(keyed, make_key("a", role)) as client:  # type: ignore[arg-type]
            told = (await client.get("/v1/caller")).json()
        assert (told["tenant"], told["role"]) == ("a", role)
        assert (told["may_operate"], told["may_control"], told["keys"]) == (may_operate, may_control, True)


async def test_statistics_tell_what_happened(client: Client, things: str, worker: StandIn) -> None:
    await client.post("/v1/search?wait=20", json=cat())
    await client.post("/v1/search?wait=20", json=cat("fail"))

    async def counted() -> Any:
        told = (await client.get("/v1/statistics", params={"span": "15m"})).json()
        return told if sum(told["lanes"][0]["left"]) == 2 else None

    told = await eventually(counted, within_s=20)
    interactive, bulk = told["lanes"]
    assert (interactive["name"], bulk["name"]) == ("interactive", "bulk")
    assert (sum(interactive["came"]), sum(interactive["wrong"]), interactive["wait"]["count"]) == (2, 1, 2)
    assert [(one["type"], sum(one["counts"])) for one in told["errors"]] == [("bad-picture", 1)]
    assert len(told["fleet"]["workers"]) == len(interactive["depth"]) == 90


@pytest.mark.parametrize("path", ["statistics?span=2h", "tenants?after=A%20B", "jobs/states?state=x", "caller?x=1"])
async def test_a_bad_question_is_422(client: Client, path: str) -> None:
    assert (await client.get(f"/v1/{path}")).status_code == 422


async def test_users_see_no_statistics_and_no_tenants(keyed: Api, make_key: MakeKey) -> None:
    async with client_of(keyed, make_key("a", "user")) as user:
        assert [(await user.get(f"/v1/{path}")).status_code for path in ("statistics", "tenants")] == [403, 403]


async def test_tenants_have_usage_and_limits(other_tenant: tuple[Client, str], settings: Settings) -> None:
    ours, _ = other_tenant
    page = (await ours.get("/v1/tenants")).json()
    told = {one["name"]: (one["queued"], one["kept"], one["collections"]) for one in page["tenants"]}
    assert told == {"ours": (0, 0, 0), "theirs": (1, 1, 1)}
    assert page["limits"]["max_open"] == settings.tenant_max_open


async def test_states_are_counted(client: Client, things: str) -> None:
    sent = (await client.post("/v1/search", json=cat())).json()["id"]
    await client.post("/v1/search", json=cat())
    await client.delete(f"/v1/jobs/{sent}")
    counts = (await client.get("/v1/jobs/states")).json()["states"]
    assert {state: count for state, count in counts.items() if count} == {"queued": 1, "cancelled": 1}


async def test_an_operator_sees_another_tenants_jobs_without_what_they_say(other_tenant: tuple[Client, str]) -> None:
    ours, job_id = other_tenant
    await ours.post("/v1/jobs/cancel", json={"tenant": "theirs", "ids": [job_id]})
    [job] = (await ours.get("/v1/jobs", params={"tenant": "theirs"})).json()["jobs"]
    shown = (await ours.get(f"/v1/jobs/{job_id}", params={"tenant": "theirs"})).json()
    for told in (job, shown):
        assert (told["id"], told["state"], told["redacted"]) == (job_id, "cancelled", True)
        assert told["text"] is told["result"] is told["session"] is None
        assert (told["error"]["type"], "detail" in told["error"]) == ("cancelled", False)
    assert (await ours.get(f"/v1/jobs/{job_id}/request", params={"tenant": "theirs"})).status_code == 403
    assert (await ours.get("/v1/jobs", params={"tenant": "theirs", "q": "secret"})).json()["jobs"] == []
    assert len((await ours.get("/v1/jobs", params={"tenant": "theirs", "q": job_id[:8]})).json()["jobs"]) == 1


async def test_an_operator_lists_and_searches_the_jobs_of_all_tenants(
    other_tenant: tuple[Client, str], settings: Settings
) -> None:
    ours, theirs_id = other_tenant
    await make_collection(settings, "ours", "things")
    ours_id = (await ours.post("/v1/search", json=cat("our cat"))).json()["id"]
    page = (await ours.get("/v1/jobs", params={"tenant": "*"})).json()
    told = [(job["id"], job["tenant"], job["text"], job["redacted"]) for job in page["jobs"]]
    assert told == [(ours_id, "ours", "our cat", False), (theirs_id, "theirs", None, True)]
    assert (page["next"], page["left_out"]) == (None, 0)
    for where, ids in (
        ({"q": theirs_id[:10]}, [theirs_id]),
        ({"q": "secret"}, []),
        ({"state": "queued", "limit": "1"}, [ours_id]),
        ({"collection": "nothing"}, []),
    ):
        found = (await ours.get("/v1/jobs", params={"tenant": "*", **where})).json()["jobs"]
        assert [job["id"] for job in found] == ids, where
    assert (await ours.get("/v1/jobs/states", params={"tenant": "*"})).json()["states"]["queued"] == 2


async def test_without_the_tenant_named_nothing_of_it_is_there(other_tenant: tuple[Client, str]) -> None:
    ours, job_id = other_tenant
    assert (await ours.get(f"/v1/jobs/{job_id}")).status_code == 404
    assert (await ours.get("/v1/jobs")).json()["jobs"] == []


async def test_users_never_see_another_tenant(keyed: Api, make_key: MakeKey) -> None:
    async with client_of(keyed, make_key("a", "user")) as user:
        for path in ("jobs", "jobs/j", "jobs/j/request", "jobs/states"):
            assert (await user.get(f"/v1/{path}", params={"tenant": "b"})).status_code == 403
        for path in ("jobs", "jobs/states"):
            assert (await user.get(f"/v1/{path}", params={"tenant": "*"})).status_code == 403


@pytest.mark.parametrize(("see", "status", "text"), [("own", 403, None), ("all", 200, "a secret cat")])
async def test_a_setting_says_how_much_operators_see(
    settings: Settings, keys_file: Any, make_key: MakeKey, see: Any, status: int, text: str | None
) -> None:
    await make_collection(settings, "theirs", "things")
    changed = msgspec.structs.replace(settings, keys_file=str(keys_file), operators_see=see)
    with serving(changed) as api:
        async with client_of(api, make_key("theirs", "user")) as theirs:
            await theirs.post("/v1/search", json=cat("a secret cat"))
        async with client_of(api, make_key("ours", "operator")) as ours:
            answer = await ours.get("/v1/jobs", params={"tenant": "theirs", "q": "secret"})
            every = await ours.get("/v1/jobs", params={"tenant": "*", "q": "secret"})
            names = [one["name"] for one in (await ours.get("/v1/tenants")).json()["tenants"]]
    assert answer.status_code == every.status_code == status
    assert text is None or answer.json()["jobs"] == every.json()["jobs"]
    assert text is None or [job["text"] for job in answer.json()["jobs"]] == [text]
    assert names == (["ours"] if see == "own" else ["ours", "theirs"])


async def test_in_read_only_mode_operators_look_and_change_nothing(settings: Settings) -> None:
    with serving(msgspec.structs.replace(settings, read_only=True)) as api:
        async with httpx.AsyncClient(base_url=api.url, timeout=30) as client:
            for path in ("queues/bulk/pause", "queues/bulk/resume", "workers/w1/drain", "jobs/purge", "jobs/cancel"):
                answer = await client.post(f"/v1/{path}", json={})
                assert (answer.status_code, answer.json()["type"]) == (403, "forbidden"), path
            for path in ("statistics", "queues", "workers", "audit", "tenants", "jobs"):
                assert (await client.get(f"/v1/{path}")).status_code == 200, path
            assert (await client.get("/v1/caller")).json()["may_control"] is False


async def test_a_selection_of_jobs_is_acted_on_and_written_down(client: Client, things: str) -> None:
    ids = [(await client.post("/v1/search", json=cat())).json()["id"] for _ in range(3)]
    swept = (await client.post("/v1/jobs/cancel", json={"ids": [*ids[:2], ids[0], "none"]})).json()
    assert (swept["done"], swept["skipped"], swept["next"]) == (2, 1, None)
    assert (await client.post("/v1/jobs/purge", json={"ids": ids})).json()["done"] == 2
    assert [job["id"] for job in (await client.get("/v1/jobs")).json()["jobs"]] == ids[2:]
    entries = (await client.get("/v1/audit")).json()["entries"]
    assert [(one["action"], one["done"]) for one in entries] == [("jobs.purge", 2), ("jobs.cancel", 2)]


async def test_all_that_match_is_by_every_filter(client: Client, things: str, settings: Settings) -> None:
    await make_collection(settings, "default", "others")
    await client.post("/v1/search", json=cat())
    await client.post("/v1/search", json={**cat(), "collection": "others"})
    swept = (await client.post("/v1/jobs/cancel", json={"collection": "others"})).json()
    assert swept["done"] == 1
    late = (await client.post("/v1/jobs/cancel", json={"since": "2999-01-01T00:00:00Z"})).json()
    assert late["done"] == 0
    naive = await client.post("/v1/jobs/cancel", json={"since": "2999-01-01T00:00:00"})
    assert (naive.status_code, naive.json()["field"]) == (422, "since")


async def test_what_was_asked_is_shown_as_long_as_it_is_kept(client: Client, things: str, worker: StandIn) -> None:
    failed = (await client.post("/v1/search?wait=20", json=cat("fail this"))).json()["id"]
    done = (await client.post("/v1/search?wait=20", json=cat())).json()["id"]
    asked = (await client.get(f"/v1/jobs/{failed}/request")).json()
    assert asked["payload"]["query"] == {"text": "fail this"}
    assert (await client.get(f"/v1/jobs/{done}/request")).json()["payload"]["query"] == cat()["query"]
    assert (await client.get("/v1/jobs/none/request")).status_code == 404
    await client.post("/v1/jobs/purge", json={"ids": [done]})
    assert (await client.get(f"/v1/jobs/{done}/request")).status_code == 404


async def test_a_large_request_is_cut_short_and_says_so(settings: Settings) -> None:
    async with connect(settings) as redis:
        picture = b"\x89PNG\r\n\x1a\n" + b"x" * 1_000
        search = Search(collection="p", query=Query(image=picture), seen=list(range(5_000)))
        sent = await Queue(redis, settings).submit(search, tenant="t")
        asked = await request_of(redis, sent.id)
    assert asked.payload is not None
    assert (len(asked.payload["seen"]), asked.cut) == (SHOWN, {"seen": 5_000})
    assert asked.payload["query"]["image"] == "1,008 bytes"


async def test_a_dashboard_is_told_that_something_happened(api: Api, client: Client, things: str) -> None:
    async with talking(api) as talk:
        await talk.say("follow")
        assert await talk.next() == {"op": "pulse"}
        await client.post("/v1/search", json=cat())
        assert await talk.next() == {"op": "pulse"}


async def test_users_get_no_pulse(keyed: Api, make_key: MakeKey) -> None:
    async with talking(keyed, headers={"X-API-Key": make_key("a", "user")}) as talk:
        await talk.say("follow", id="f")
        refused = await talk.next()
        assert (refused["op"], refused["id"], refused["error"]["status"]) == ("error", "f", 403)
