"""What one connection and one tenant may take, and what happens beyond it."""

import asyncio

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.pace import Pace
from shared.settings import Settings
from tests.api.conftest import MakeKey
from tests.api.serving import Api, serving
from tests.api.talking import talking
from tests.api.test_search import cat

pytestmark = pytest.mark.anyio


@given(st.integers(1, 50), st.lists(st.floats(0, 2), max_size=200))
def test_a_pace_is_never_exceeded(per_s: int, pauses: list[float]) -> None:
    pace, at, allowed = Pace(per_s), 0.0, 0
    pace.allows(now=at)
    for pause in pauses:
        at += pause
        allowed += pace.allows(now=at)
    assert allowed <= per_s + at * per_s


async def test_frames_that_come_too_fast_are_refused_one_by_one(settings: Settings) -> None:
    with serving(msgspec.structs.replace(settings, max_frames_s=5)) as api:
        async with talking(api) as talk:
            for number in range(200):
                await talk.say("ping", id=f"p{number}")
            answers = [await talk.next() for _ in range(200)]

    refused = [answer for answer in answers if answer["op"] == "error"]
    assert {answer["error"]["type"] for answer in refused} == {"rate-limited"}
    assert all(answer["error"]["retry_after_s"] == 1 for answer in refused)
    assert [answer["id"] for answer in answers] == [f"p{number}" for number in range(200)]
    assert len(refused) < len(answers)


async def test_jobs_watched_and_searches_open_are_bounded(settings: Settings, things: str) -> None:
    tight = msgspec.structs.replace(settings, max_watches=2, max_open_searches=3)
    with serving(tight) as api:
        async with talking(api) as talk, talking(api) as other:
            for number in range(4):
                await talk.search(f"c{number}")
            refused = (await talk.until("error"))[-1]
            assert (refused["id"], refused["error"]["type"]) == ("c3", "too-many-requests")
            jobs = []
            for number in range(3):
                await other.search(f"o{number}")
                jobs.append((await other.until("accepted"))[-1]["job"])
            for job in jobs:
                await talk.say("watch", job=job, id=job)
            refused = (await talk.until("error"))[-1]
            assert (refused["id"], refused["job"], refused["error"]["status"]) == (jobs[2], jobs[2], 429)


async def test_one_tenant_s_connections_leave_room_for_another(
    settings: Settings, keys_file: object, make_key: MakeKey
) -> None:
    ours, theirs = {"X-API-Key": make_key("ours", "user")}, {"X-API-Key": make_key("theirs", "user")}
    bounded = msgspec.structs.replace(settings, keys_file=str(keys_file), tenant_max_connections=1)
    with serving(bounded) as api:
        async with talking(api, headers=ours), talking(api, headers=ours, welcomed=False) as second:
            assert await second.code() == 1013
            async with talking(api, headers=theirs) as talk:
                assert talk.welcome["op"] == "welcome"
        # The place is free again as soon as the server has seen the end.
        async with asyncio.timeout(20):
            while True:
                async with talking(api, headers=ours, welcomed=False) as again:
                    if (await again.next_or_end()) is not None:
                        break


async def test_a_tenant_s_sessions_are_bounded_over_http_and_over_websockets(settings: Settings) -> None:
    with serving(msgspec.structs.replace(settings, tenant_max_sessions=1)) as api:
        async with httpx.AsyncClient(base_url=api.url, timeout=30) as client:
            made = (await client.post("/v1/sessions")).json()["session"]
            for path, body in (
                ("/v1/sessions", None),
                ("/v1/sessions/import", {"version": 1}),
                (f"/v1/sessions/{made}/members", {"name": "Ann"}),
            ):
                refused = await client.post(path, json=body)
                assert (refused.status_code, refused.json()["type"]) == (429, "too-many-sessions"), refused.text
                assert refused.headers["Retry-After"] == "60"
        async with talking(api, welcomed=False) as talk:
            assert await talk.code() == 1013
        async with talking(api, session=made) as talk:
            assert talk.welcome["session"] == made


async def test_pages_of_a_named_origin_may_call_and_others_may_not(settings: Settings, things: str) -> None:
    named = "https://app.example.com"
    with serving(msgspec.structs.replace(settings, allowed_origins=f"http://a.example,{named}")) as api:
        async with talking(api, headers={"Origin": named.upper()}) as talk:
            assert talk.welcome["op"] == "welcome"
        for origin in ("https://app.example.com.evil.example", "http://app.example.com", "null"):
            async with talking(api, headers={"Origin": origin}, welcomed=False) as talk:
                assert await talk.code() == 1008


async def test_answers_can_be_read_by_pages_of_a_named_origin_alone(settings: Settings, things: str) -> None:
    named = "https://app.example.com"
    with serving(msgspec.structs.replace(settings, allowed_origins=named)) as api:
        async with httpx.AsyncClient(base_url=api.url, timeout=30) as client:
            asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
            preflight = await client.options("/v1/search", headers={"Origin": named, **asked})
            taken = await client.post("/v1/search", json=cat(), headers={"Origin": named})
            foreign = await client.post("/v1/search", json=cat(), headers={"Origin": "https://evil.example"})
            read = await client.get("/v1/jobs", headers={"Origin": "https://evil.example"})

    assert (preflight.status_code, preflight.headers["access-control-allow-origin"]) == (200, named)
    assert (taken.status_code, taken.headers["access-control-allow-origin"]) == (202, named)
    assert "location" in taken.headers["access-control-expose-headers"].lower()
    assert foreign.status_code == 403
    assert "access-control-allow-origin" not in read.headers


async def test_a_peer_that_does_not_answer_pings_is_let_go(settings: Settings) -> None:
    with serving(msgspec.structs.replace(settings, heartbeat_s=0.05)) as api:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(api.url.rpartition(":")[2]))
        writer.write(
            b"GET /v1/ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        async with asyncio.timeout(20):
            heard = await reader.read()
        writer.close()
    assert b"101 Switching Protocols" in heard
    assert b'"op":"welcome"' in heard
    assert b"keepalive ping timeout" in heard


async def test_the_default_bounds_hold(api: Api) -> None:
    async with talking(api) as talk:
        for number in range(100):
            await talk.say("ping", id=f"{number}")
        assert [(await talk.next())["op"] for _ in range(100)] == ["pong"] * 100
