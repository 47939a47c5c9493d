"""What a session holds, over HTTP and over its websocket."""

from typing import Any

import httpx
import pytest

from shared.collections import Collections, from_spec
from shared.connection import connect
from shared.jobs import CollectionSpec
from shared.settings import Settings
from tests.api.conftest import Client, MakeKey, make_collection
from tests.api.serving import Api
from tests.api.stand_in import StandIn
from tests.api.talking import Frame, Talk, talking
from tests.api.test_search import problem

pytestmark = pytest.mark.anyio

BOTH = {"positive": [{"id": 1}], "negative": [{"id": 1}]}


@pytest.fixture
async def films(settings: Settings) -> str:
    async with connect(settings) as redis:
        await Collections(redis).put("default", from_spec("films", CollectionSpec(group_field="video")))
    return "films"


@pytest.fixture
async def session(client: Client) -> str:
    made = await client.post("/v1/sessions")
    assert made.status_code == 201
    return str(made.json()["session"])


@pytest.fixture
async def mark(client: Client, session: str) -> Any:
    async def send(**marks: Any) -> httpx.Response:
        return await client.post(f"/v1/sessions/{session}/marks", json={"collection": "films", **marks})

    return send


async def test_marks_are_counted_shown_and_taken_back(client: Client, films: str, session: str, mark: Any) -> None:
    marked = await mark(seen={"add": [1, 2]}, positive={"add": [3]}, exclude_groups={"add": ["v", 4]})
    assert marked.status_code == 200
    assert marked.json() == {
        "session": session,
        "collection": "films",
        "revision": 1,
        "counts": {"seen": 2, "exclude": 0, "positive": 1, "negative": 0, "exclude_groups": 2},
        "forgotten": 0,
        "undo": 1,
        "redo": 0,
    }
    view = (await client.get(f"/v1/sessions/{session}", params={"collection": "films"})).json()
    assert view["collections"] == ["films"]
    assert view["sets"]["positive"] == [{"id": 3, "by": None}]
    assert {one["group"] for one in view["sets"]["exclude_groups"]} == {"v", 4}
    assert (await client.get(f"/v1/sessions/{session}")).json()["sets"] is None
    undone = await client.post(f"/v1/sessions/{session}/undo", json={"collection": "films"})
    assert (undone.json()["counts"]["seen"], undone.json()["redo"]) == (0, 1)
    redone = await client.post(f"/v1/sessions/{session}/redo", json={"collection": "films"})
    assert redone.json()["counts"]["seen"] == 2
    again = await client.post(f"/v1/sessions/{session}/redo", json={"collection": "films"})
    assert problem(again) == (409, "nothing-to-undo", None)


@pytest.mark.parametrize(
    ("marks", "status", "field"),
    [
        ({"seen": {"add": list(range(200_000))}}, 422, "seen.add"),
        ({"seen": {"add": ["1"]}}, 422, "seen.add[0]"),
        ({"seen": {"add": [-1]}}, 422, "seen.add[0]"),
        ({"seen": {"add": [2**53]}}, 422, "seen.add[0]"),
        ({"seen": {"add": [1], "remove": [1]}}, 422, "seen"),
        ({"seen": {"ad": [1]}}, 422, "seen"),
        ({"sean": {"add": [1]}}, 422, None),
        ({"seen": [1]}, 422, "seen"),
        ({"positive": {"add": [1]}, "negative": {"add": [1]}}, 422, None),
        ({"positive": {"add": list(range(1_001))}}, 422, "positive.add"),
        ({"exclude_groups": {"add": [True]}}, 422, "exclude_groups.add[0]"),
        ({"exclude_groups": {"add": ["v" * 1_001]}}, 422, "exclude_groups.add[0]"),
        ({"clear": ["all"]}, 422, "clear[0]"),
        ({"collection": "none"}, 404, "collection"),
        ({"collection": 1}, 422, "collection"),
    ],
)
async def test_a_bad_change_is_refused_whole(
    films: str, mark: Any, client: Client, session: str, marks: dict[str, Any], status: int, field: str | None
) -> None:
    await mark(seen={"add": [7]})
    refused = await mark(**marks)
    assert problem(refused)[::2] == (status, field)
    sets = (await client.get(f"/v1/sessions/{session}", params={"collection": "films"})).json()["sets"]
    assert (sets["seen"], sets["revision"]) == ([7], 1)


async def test_groups_need_a_group_field(client: Client, things: str, session: str) -> None:
    marks = {"collection": things, "exclude_groups": {"add": ["v"]}}
    assert problem(await client.post(f"/v1/sessions/{session}/marks", json=marks)) == (422, "invalid", "exclude_groups")


async def test_a_session_of_another_tenant_does_not_exist(keyed: Api, make_key: MakeKey, settings: Settings) -> None:
    await make_collection(settings, "a", "films")
    await make_collection(settings, "b", "films")
    ours, theirs = ({"X-API-Key": make_key(tenant, "viewer")} for tenant in "ab")
    async with httpx.AsyncClient(base_url=keyed.url, timeout=30) as client:
        session = (await client.post("/v1/sessions", headers=ours)).json()["session"]
        path, marks = f"/v1/sessions/{session}", {"collection": "films", "seen": {"add": [1]}}
        assert (await client.post(f"{path}/marks", json=marks, headers=ours)).status_code == 200
        step = {"collection": "films"}
        refused = [
            await client.get(path, headers=theirs),
            await client.post(f"{path}/marks", json=marks, headers=theirs),
            await client.post(f"{path}/undo", json=step, headers=theirs),
            await client.post(f"{path}/redo", json=step, headers=theirs),
            await client.post("/v1/search", json={**step, "session": session, "next": True}, headers=theirs),
        ]
        assert {problem(one) for one in refused} == {(404, "session-not-found", None)}
        shown = (await client.get(path, params=step, headers=ours)).json()["sets"]
        assert shown["seen"] == [1]


@pytest.mark.parametrize("name", ["nonsense", "x" * 200, "a%0ab", "%F0%9F%98%80"])
async def test_a_session_that_nobody_made_does_not_exist(client: Client, films: str, name: str) -> None:
    assert problem(await client.get(f"/v1/sessions/{name}")) == (404, "session-not-found", None)


async def test_an_empty_query_needs_marks(client: Client, films: str, session: str, mark: Any, worker: StandIn) -> None:
    search = {"collection": "films", "session": session}
    empty: list[dict[str, Any]] = [{}, {"marks": False}, {"query": {}}, {"query": {"negative": [1]}}]
    for more in empty:
        assert problem(await client.post("/v1/search", json={**search, **more})) == (422, "invalid", "query")
    await mark(positive={"add": [1]})
    assert (await client.post("/v1/search?wait=20", json=search)).json()["state"] == "succeeded"
    refused = await client.post("/v1/search", json={**search, "marks": False})
    assert problem(refused) == (422, "invalid", "query")


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        ({}, (409, "nothing-to-continue", "next")),
        ({"session": None}, (422, "invalid", "next")),
        ({"query": {"text": "a cat"}}, (422, "invalid", None)),
        ({"group_by": "video"}, (422, "invalid", None)),
        ({"session": "none"}, (404, "session-not-found", None)),
        ({"next": "yes"}, (422, "invalid", "next")),
        ({"next": False, "session": None, "remember": True, "query": {"text": "a"}}, (422, "invalid", "remember")),
    ],
)
async def test_a_next_page_needs_a_session_with_a_query(
    client: Client, films: str, session: str, more: dict[str, Any], wanted: tuple[int, str, str | None]
) -> None:
    search = {"collection": "films", "session": session, "next": True, **more}
    assert problem(await client.post("/v1/search", json=search)) == wanted


async def answer(talk: Talk) -> Frame:
    """The next frame that is none of the session's own changes, which come before or after it."""
    while (frame := await talk.next())["op"] == "session":
        pass
    return frame


async def test_a_websocket_marks_its_own_session(api: Api, client: Client, films: str) -> None:
    async with talking(api) as talk:
        session = talk.welcome["session"]
        await talk.say("mark", id="m1", collection="films", seen={"add": [1]}, positive={"add": [2]})
        marked = await answer(talk)
        assert (marked["op"], marked["id"], marked["session"], marked["revision"]) == ("marked", "m1", session, 1)
        await talk.say("undo", id="u1", collection="films")
        assert (await answer(talk))["counts"]["seen"] == 0
        await talk.say("redo", collection="films")
        assert (await answer(talk))["counts"]["seen"] == 1
        await talk.say("redo", id="r", collection="films")
        refused = await answer(talk)
        assert (refused["op"], refused["id"], refused["error"]["type"]) == ("error", "r", "nothing-to-undo")
        await talk.say("mark", id="m2", collection="films", seen={"add": [True]})
        assert (await answer(talk))["error"]["field"] == "seen.add[0]"
        await talk.say("search", id="c1", search={"collection": "films", "next": True})
        assert (await answer(talk))["error"]["type"] == "nothing-to-continue"
    shown = (await client.get(f"/v1/sessions/{session}", params={"collection": "films"})).json()["sets"]
    assert (shown["seen"], shown["positive"]) == ([1], [{"id": 2, "by": None}])


async def test_what_a_session_holds_moves_to_another(client: Client, films: str, session: str, mark: Any) -> None:
    await mark(seen={"add": [1, 2]}, exclude={"add": [3]}, positive={"add": [4]}, negative={"add": [5]})
    await mark(exclude_groups={"add": ["v", 7]})
    exported = (await client.get(f"/v1/sessions/{session}/export")).json()
    assert exported["version"] == 1
    made = await client.post("/v1/sessions/import", json=exported)
    assert made.status_code == 201
    other = made.json()["session"]
    assert other != session
    told = (await client.get(f"/v1/sessions/{other}/export")).json()
    assert told == exported
    await client.post(f"/v1/sessions/{session}/marks", json={"collection": "films", "seen": {"add": [99]}})
    replaced = await client.put(f"/v1/sessions/{session}", json=told)
    assert (replaced.status_code, replaced.json()["collections"]) == (200, ["films"])
    assert (await client.get(f"/v1/sessions/{session}/export")).json() == exported
    await client.post(f"/v1/sessions/{session}/undo", json={"collection": "films"})
    sets = (await client.get(f"/v1/sessions/{session}", params={"collection": "films"})).json()["sets"]
    assert 99 in sets["seen"]


@pytest.mark.parametrize(
    ("document", "status", "field"),
    [
        ({"version": 2}, 422, "version"),
        ({"collections": [{"collection": "none"}]}, 404, "collection"),
        ({"collections": [{"collection": "films"}, {"collection": "films"}]}, 422, None),
        ({"collections": [{"collection": "films", "seen": list(range(200_000))}]}, 422, "collections[0].seen"),
        ({"collections": [{"collection": "films", "sean": []}]}, 422, "collections[0]"),
        ({"collections": [{"collection": "films", **BOTH}]}, 422, "collections"),
        ({"collections": [{"collection": "films", "exclude": [1]}]}, 422, "collections[0].exclude[0]"),
        ([], 422, None),
    ],
)
async def test_a_bad_document_changes_nothing(
    client: Client, films: str, session: str, mark: Any, document: Any, status: int, field: str | None
) -> None:
    await mark(seen={"add": [7]})
    for refused in (
        await client.post("/v1/sessions/import", json=document),
        await client.put(f"/v1/sessions/{session}", json=document),
    ):
        assert problem(refused)[::2] == (status, field)
    sets = (await client.get(f"/v1/sessions/{session}", params={"collection": "films"})).json()["sets"]
    assert (sets["seen"], sets["revision"]) == ([7], 1)


async def test_an_undo_that_is_sent_again_takes_one_change_back(
    client: Client, films: str, session: str, mark: Any
) -> None:
    for number in range(3):
        await mark(seen={"add": [number]})
    step, headers = {"collection": "films"}, {"Idempotency-Key": "k1"}
    answers = [await client.post(f"/v1/sessions/{session}/undo", json=step, headers=headers) for _ in range(2)]
    assert [one.json()["counts"]["seen"] for one in answers] == [2, 2]


async def test_a_new_session_has_no_history(client: Client, session: str) -> None:
    assert (await client.get(f"/v1/sessions/{session}/history")).json() == {"history": []}
    refused = await client.get(f"/v1/sessions/{session}/history", params={"limit": 201})
    assert problem(refused) == (422, "invalid", "limit")
    assert problem(await client.get("/v1/sessions/none/history")) == (404, "session-not-found", None)


async def test_a_team_shares_its_marks_and_tells_who_made_them(client: Client, films: str, session: str) -> None:
    async def post(of: str, verb: str, **body: Any) -> httpx.Response:
        return await client.post(f"/v1/sessions/{of}/{verb}", json=body)

    joined = await post(session, "members", name="Ann")
    assert joined.status_code == 201
    ann, ben = joined.json()["session"], (await post(joined.json()["session"], "members", name="Ben")).json()["session"]
    assert (joined.json()["team"], joined.json()["member"], len({session, ann, ben})) == (session, "Ann", 3)
    again = await post(session, "members", name="Ann")
    assert (again.status_code, again.json()["session"]) == (200, ann)

    await post(ann, "marks", collection="films", positive={"add": [1, 2]}, exclude={"add": [9]})
    await post(ben, "marks", collection="films", negative={"add": [2]}, exclude_groups={"add": ["v"]})
    await post(session, "marks", collection="films", exclude={"add": [8]})
    for one in (session, ann, ben):
        view = (await client.get(f"/v1/sessions/{one}", params={"collection": "films"})).json()
        assert view["members"] == ["Ann", "Ben"]
        sets = view["sets"]
        assert sets["positive"] == [{"id": 1, "by": "Ann"}]
        assert sets["negative"] == [{"id": 2, "by": "Ben"}]
        assert {one["id"]: one["by"] for one in sets["exclude"]} == {9: "Ann", 8: None}
        assert sets["exclude_groups"] == [{"group": "v", "by": "Ben"}]
    own = (await client.get(f"/v1/sessions/{ben}")).json()
    assert (own["team"], own["member"]) == (session, "Ben")

    undone = (await post(ann, "undo", collection="films")).json()
    assert (undone["counts"]["exclude"], undone["counts"]["exclude_groups"]) == (1, 1)
    assert problem(await post(ann, "undo", collection="films")) == (409, "nothing-to-undo", None)


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 65, 7, None])
async def test_a_member_has_a_name(client: Client, session: str, name: Any) -> None:
    refused = await client.post(f"/v1/sessions/{session}/members", json={"name": name})
    assert problem(refused)[:2] == (422, "invalid")


async def test_a_team_has_a_bound_and_belongs_to_its_tenant(
    client: Client, keyed: Api, make_key: MakeKey, session: str
) -> None:
    answers = [
        await client.post(f"/v1/sessions/{session}/members", json={"name": f"member {number}"}) for number in range(65)
    ]
    assert {one.status_code for one in answers[:64]} == {201}
    assert problem(answers[64]) == (409, "session-full", "name")
    async with httpx.AsyncClient(base_url=keyed.url, timeout=30, headers={"X-API-Key": make_key("b", "user")}) as other:
        refused = await other.post(f"/v1/sessions/{session}/members", json={"name": "Eve"})
        assert problem(refused) == (404, "session-not-found", None)
