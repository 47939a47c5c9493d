"""A tenant's sessions are listed, and can be ended before their time; whoever uses one hears of it."""

from typing import Any

import httpx
import msgspec
import pytest
from jsonschema_rs import Draft202012Validator

from api import asyncapi
from shared.settings import Settings
from tests.api.conftest import Client, MakeKey
from tests.api.serving import Api, serving
from tests.api.stand_in import StandIn
from tests.api.talking import Frame, Talk, talking
from tests.api.test_search import problem

pytestmark = pytest.mark.anyio


async def made(client: Client) -> str:
    return str((await client.post("/v1/sessions")).json()["session"])


async def listed(client: Client, **params: Any) -> tuple[list[str], str | None]:
    answer = await client.get("/v1/sessions", params=params)
    assert answer.status_code == 200, answer.text
    page = answer.json()
    return [one["session"] for one in page["sessions"]], page["next"]


async def end_of(talk: Talk) -> Frame:
    return (await talk.until("session", ended=True))[-1]


async def test_sessions_are_listed_by_pages_newest_first(client: Client, things: str) -> None:
    sessions = [await made(client) for _ in range(5)]
    await client.post(f"/v1/sessions/{sessions[4]}/marks", json={"collection": things, "seen": {"add": [1]}})
    first = (await client.get("/v1/sessions", params={"limit": 2})).json()
    assert first["sessions"][0].items() >= {"session": sessions[4], "collections": [things], "team": None}.items()
    second, place = await listed(client, limit=2, before=first["next"])
    assert second == [sessions[2], sessions[1]]
    assert await listed(client, limit=2, before=place) == ([sessions[0]], None)


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 201}, "limit"),
        ({"before": "x"}, "before"),
        ({"before": "1" * 17}, "before"),
        ({"q": "a"}, None),
    ],
)
async def test_a_page_that_there_cannot_be_is_refused(
    client: Client, params: dict[str, Any], field: str | None
) -> None:
    assert problem(await client.get("/v1/sessions", params=params)) == (422, "invalid", field)


async def test_an_ended_session_is_found_by_no_call(client: Client, things: str, worker: StandIn) -> None:
    session, other = await made(client), await made(client)
    search = {"collection": things, "query": {"text": "a cat"}, "session": session}
    assert (await client.post("/v1/search?wait=20", json=search)).json()["state"] == "succeeded"
    ended = await client.delete(f"/v1/sessions/{session}")
    assert (ended.status_code, ended.content) == (204, b"")
    assert (await listed(client))[0] == [other]
    step = {"collection": things}
    for answer in (
        await client.delete(f"/v1/sessions/{session}"),
        await client.get(f"/v1/sessions/{session}"),
        await client.get(f"/v1/sessions/{session}/export"),
        await client.post(f"/v1/sessions/{session}/marks", json=step),
        await client.post(f"/v1/sessions/{session}/undo", json=step),
        await client.post(f"/v1/sessions/{session}/members", json={"name": "Ann"}),
        await client.post("/v1/search", json=search),
        await client.post("/v1/search", json={"collection": things, "session": session, "next": True}),
    ):
        assert problem(answer) == (404, "session-not-found", None)


async def test_tenants_neither_see_nor_end_each_other_s(keyed: Api, make_key: MakeKey) -> None:
    async with (
        httpx.AsyncClient(base_url=keyed.url, timeout=30, headers={"X-API-Key": make_key("a", "viewer")}) as ours,
        httpx.AsyncClient(base_url=keyed.url, timeout=30, headers={"X-API-Key": make_key("b", "operator")}) as theirs,
        httpx.AsyncClient(base_url=keyed.url, timeout=30) as nobody,
    ):
        session = await made(ours)
        assert await listed(theirs) == ([], None)
        assert problem(await theirs.delete(f"/v1/sessions/{session}")) == (404, "session-not-found", None)
        for refused in (await nobody.get("/v1/sessions"), await nobody.delete(f"/v1/sessions/{session}")):
            assert refused.status_code == 401
        assert await listed(ours) == ([session], None)
        assert (await ours.delete(f"/v1/sessions/{session}")).status_code == 204


async def test_ending_one_makes_room_for_another(settings: Settings) -> None:
    with serving(msgspec.structs.replace(settings, tenant_max_sessions=1)) as api:
        async with httpx.AsyncClient(base_url=api.url, timeout=30) as client:
            session = await made(client)
            refused = await client.post("/v1/sessions")
            assert problem(refused) == (429, "too-many-sessions", None)
            assert "DELETE /v1/sessions/ID" in refused.json()["detail"]
            async with talking(api, welcomed=False) as talk:
                assert await talk.code() == 1013
                reason = talk.connection.close_reason or ""
            assert "DELETE /v1/sessions/ID, GET /v1/sessions lists them" in reason
            await client.delete(f"/v1/sessions/{session}")
            async with talking(api) as talk:
                assert (await listed(client))[0] == [talk.welcome["session"]]


async def test_a_websocket_is_told_that_its_session_has_ended(
    api: Api, client: Client, things: str, worker: StandIn
) -> None:
    async with talking(api) as talk, talking(api) as beside:
        session = talk.welcome["session"]
        await talk.search("c1", "wait for it")
        await talk.until("event", state="running")
        await client.delete(f"/v1/sessions/{session}")
        told = await end_of(talk)
        assert (told["session"], told["collection"], told["by"], told["changes"]) == (session, None, None, None)
        schema = asyncapi.build()
        payload = schema["components"]["messages"]["session"]["payload"]
        Draft202012Validator({**payload, "components": schema["components"]}).validate(told)
        # What runs already is answered; what is asked from now on is not.
        worker.gate.set()
        assert (await talk.until("result"))[-1]["state"] == "succeeded"
        await talk.search("c2")
        await talk.say("mark", id="m", collection=things, seen={"add": [1]})
        refused = [await talk.next(), await talk.next()]
        assert [(one["id"], one["error"]["type"]) for one in refused] == [
            ("c2", "session-not-found"),
            ("m", "session-not-found"),
        ]
        await beside.search("c1")
        assert {frame["op"] for frame in await beside.until("result")}.isdisjoint({"session"})
    async with talking(api, session=session, after=told["seq"]) as talk:
        assert talk.welcome["session"] != session
        assert not talk.welcome["recovered"]


async def test_of_a_team_s_end_its_members_hear_and_of_a_member_s_nobody_else(
    settings: Settings, things: str, worker: StandIn
) -> None:
    with serving(settings) as one, serving(settings) as other:
        async with (
            httpx.AsyncClient(base_url=one.url, timeout=30) as client,
            talking(one) as owner,
        ):
            team = owner.welcome["session"]
            seats = [
                (await client.post(f"/v1/sessions/{team}/members", json={"name": name})).json()["session"]
                for name in ("Ann", "Ben")
            ]
            async with talking(one, session=seats[0]) as ann, talking(other, session=seats[1]) as ben:
                await client.delete(f"/v1/sessions/{seats[0]}")
                assert (await end_of(ann))["session"] == seats[0]
                await client.delete(f"/v1/sessions/{team}")
                assert [(await end_of(talk))["session"] for talk in (owner, ben)] == [team, seats[1]]
