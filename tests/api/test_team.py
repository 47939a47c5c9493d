"""What one member of a team does in the session that they share, the others' websockets are told."""

from collections.abc import Iterator

import httpx
import pytest

from api.outbox import MOST, TOO_SLOW, Outbox
from shared.connection import connect
from shared.keys import EVENTS
from shared.session_changes import SessionChange
from shared.settings import Settings
from tests.api.conftest import MakeKey, make_collection
from tests.api.serving import Api, serving
from tests.api.stand_in import StandIn
from tests.api.talking import Frame, Talk, talking
from tests.client.processes import ApiProcess

pytestmark = pytest.mark.anyio

GOOD = {"set": "positive", "add": [3], "remove": []}


@pytest.fixture
def two(settings: Settings) -> Iterator[tuple[Api, Api]]:
    with serving(settings) as one, serving(settings) as other:
        yield one, other


async def joined(api: Api, team: str, name: str = "Ann") -> str:
    async with httpx.AsyncClient(base_url=api.url, timeout=30) as client:
        seat = await client.post(f"/v1/sessions/{team}/members", json={"name": name})
        return str(seat.json()["session"])


async def mark(talk: Talk, **marks: object) -> Frame:
    await talk.say("mark", id="m", collection="things", **marks)
    return (await talk.until("marked", id="m"))[-1]


def told(frame: Frame) -> Frame:
    """Without what every run has its own of."""
    return {name: value for name, value in frame.items() if name not in {"seq", "at", "session"}}


async def test_members_at_two_processes_hear_of_each_other(settings: Settings, things: str) -> None:
    with ApiProcess(settings) as one, ApiProcess(settings) as other:
        async with talking(_api(one)) as owner:
            team = owner.welcome["session"]
            seat = await joined(_api(other), team)
            hello = (await owner.until("session"))[-1]
            async with talking(_api(other), session=seat) as ann:
                assert ann.welcome["session"] == seat
                assert (await mark(ann, positive={"add": [3]}))["revision"] == 1
                heard = (await owner.until("session"))[-1]
                await mark(owner, exclude={"add": [4]})
                answer = (await ann.until("session", revision=2))[-1]
                await ann.say("undo", id="u", collection="things")
                undone = (await owner.until("session", revision=3))[-1]

    assert (told(hello)["by"], hello["collection"], hello["session"]) == ("Ann", None, team)
    expected = {"op": "session", "collection": "things", "revision": 1, "by": "Ann", "changes": [GOOD]}
    assert (told(heard), heard["session"]) == (expected, team)
    assert (answer["by"], answer["changes"]) == (None, [{"set": "exclude", "add": [4], "remove": []}])
    assert undone["changes"] == [{"set": "positive", "add": [], "remove": [3]}]
    assert hello["seq"] < heard["seq"] < undone["seq"]


def _api(process: ApiProcess) -> Api:
    """As far as a client needs it."""
    return Api(process.url, None, None)  # type: ignore[arg-type]


async def test_who_was_away_is_told_what_was_missed_once_and_in_order(two: tuple[Api, Api], things: str) -> None:
    one, other = two
    async with talking(one) as owner:
        seat = await joined(one, owner.welcome["session"])
        async with talking(one, session=seat) as ann:
            await mark(owner, positive={"add": [3]})
            place = (await ann.until("session", revision=1))[-1]["seq"]
        await mark(owner, seen={"add": [1]})
        await mark(owner, seen={"add": [2]})
        async with talking(other, session=seat, after=place) as ann:
            assert ann.welcome["recovered"]
            missed = await ann.until("session", revision=3)
            await mark(owner, seen={"add": [5]})
            later = await ann.until("session", revision=4)

    assert [frame["revision"] for frame in missed + later] == [2, 3, 4]


async def test_a_gap_is_said_and_the_session_can_be_read(two: tuple[Api, Api], settings: Settings, things: str) -> None:
    one, other = two
    async with talking(one) as owner:
        seat = await joined(one, owner.welcome["session"])
        async with talking(one, session=seat) as ann:
            place = ann.welcome["seq"]
        for item in range(3):
            await mark(owner, seen={"add": [item]})
        async with connect(settings) as redis:
            await redis.xtrim(EVENTS, maxlen=1, approximate=False)
        with serving(settings) as fresh:
            async with talking(fresh, session=seat, after=place) as ann:
                assert (ann.welcome["session"], ann.welcome["recovered"]) == (seat, False)
    async with httpx.AsyncClient(base_url=other.url, timeout=30) as client:
        view = (await client.get(f"/v1/sessions/{seat}", params={"collection": "things"})).json()
    assert (view["sets"]["revision"], sorted(view["sets"]["seen"])) == (3, [0, 1, 2])


async def test_a_session_s_other_tab_and_http_are_told_too(two: tuple[Api, Api], things: str) -> None:
    one, other = two
    async with talking(one) as first, httpx.AsyncClient(base_url=one.url, timeout=30) as client:
        session = first.welcome["session"]
        async with talking(other, session=session) as second:
            await client.post(f"/v1/sessions/{session}/marks", json={"collection": things, "positive": {"add": [3]}})
            for talk in (first, second):
                assert (await talk.until("session"))[-1]["changes"] == [GOOD]


async def test_other_sessions_and_tenants_hear_nothing(
    keyed: Api, settings: Settings, make_key: MakeKey, worker: StandIn
) -> None:
    for tenant in ("t1", "t2"):
        await make_collection(settings, tenant, "things")
    mine, theirs = ({"Authorization": f"Bearer {make_key(tenant, 'user')}"} for tenant in ("t1", "t2"))
    async with talking(keyed, headers=mine) as owner, talking(keyed, headers=mine) as beside:
        team = owner.welcome["session"]
        async with talking(keyed, headers=theirs, session=team) as stranger:
            assert stranger.welcome["session"] != team
            await mark(owner, positive={"add": [3]})
            for quiet in (beside, stranger):
                await quiet.search("c1")
                assert "session" not in {frame["op"] for frame in await quiet.until("result")}
    async with httpx.AsyncClient(base_url=keyed.url, timeout=30, headers=theirs) as client:
        answer = await client.post(f"/v1/sessions/{team}/members", json={"name": "Eve"})
    assert answer.status_code == 404


def test_changes_that_nobody_takes_end_the_connection() -> None:
    outbox = Outbox()
    for number in range(MOST):
        outbox.put(SessionChange(offset=f"1-{number}", tenant="t", session="s", at_ms=1, collection="c", revision=1))
    assert (len(outbox), outbox.verdict) == (MOST, None)
    outbox.put(SessionChange(offset="2-0", tenant="t", session="s", at_ms=1, collection="c", revision=1))
    assert outbox.verdict is not None
    assert outbox.verdict.code == TOO_SLOW
