"""Searches with a session: what it leaves out, what it adds to the query, and its last query that goes on by pages."""

import asyncio

import msgspec
import numpy as np
import pytest

from shared import history, keys
from shared.errors import Problem
from shared.filters import Condition, Filter, Range
from shared.jobs import Query, Search, SearchResult, Then
from shared.marking import Marking
from shared.marks import GroupChange, IdChange, MarkChange, Marks
from shared.sessions import Sessions
from tests.workers.tasks.stack import Stack
from workers.feedback import NEGATIVE, POSITIVE, unit
from workers.sittings import FEW_IDS, Asked, Sitting
from workers.stores.protocol import Point

pytestmark = pytest.mark.anyio

COUNT = 600
GROUPS = 120


@pytest.fixture(scope="module")
async def filled(stack: Stack) -> str:
    """Random unit vectors, straight into the store, in groups of five."""
    collection = await stack.create(group_field="video", payload={"n": "integer"})
    await stack.ingest(collection, [stack.file("one.png")])
    stored = f"t.{collection}"
    rng = np.random.default_rng(7)
    vectors = [unit(row) for row in rng.standard_normal((COUNT, stack.parts.encoder.info.dim)).astype(np.float32)]
    points = [
        Point(id=number + 1, vector=row.tobytes(), payload={"n": number, "video": f"v{number % GROUPS}"})
        for number, row in enumerate(vectors)
    ]
    await stack.parts.store.upsert(stored, points)
    return collection


@pytest.fixture
async def session(stack: Stack) -> str:
    return await Sessions(stack.parts.redis, stack.parts.settings).create("t")


@pytest.fixture
def marking(stack: Stack) -> Marking:
    return Marking(stack.parts.redis, stack.parts.settings)


async def ranking(stack: Stack, collection: str, query: Query) -> list[int]:
    """Every id, best first, as one search with nothing excluded has them: the store is exact at this size."""
    return ids_of(await stack.search(collection, query, limit=1_000))


def ids_of(result: SearchResult) -> list[int]:
    assert result.hits is not None
    return [hit.id for hit in result.hits]


async def next_page(stack: Stack, collection: str, session: str, **more: object) -> SearchResult:
    return await stack.search(collection, Query(), session=session, next=True, **more)


async def test_what_is_seen_excluded_or_of_an_excluded_group_does_not_come_back(
    stack: Stack, filled: str, session: str, marking: Marking
) -> None:
    wanted = await ranking(stack, filled, Query(text="a cat"))
    await marking.mark(
        "t",
        session,
        Marks(
            collection=filled,
            seen=IdChange(add=wanted[:3]),
            exclude=IdChange(add=wanted[4:5]),
            exclude_groups=GroupChange(add=["v1"]),
        ),
    )
    out = {*wanted[:3], wanted[4], wanted[6], *(one for one in wanted if one % GROUPS == 2)}
    found = await stack.search(filled, Query(text="a cat"), session=session, seen=wanted[6:7], limit=40)
    assert ids_of(found) == [one for one in wanted if one not in out][:40]
    alone = await stack.search(filled, Query(text="a cat"), limit=40)
    assert ids_of(alone) == wanted[:40]


async def test_marks_join_the_query_unless_it_says_not_to(
    stack: Stack, filled: str, session: str, marking: Marking
) -> None:
    await marking.mark(
        "t", session, Marks(collection=filled, positive=MarkChange(add=[10, 11]), negative=MarkChange(add=[12]))
    )
    spelled_out = await stack.search(filled, Query(text="a cat", positive=[10, 11], negative=[12]), limit=30)
    assert ids_of(await stack.search(filled, Query(text="a cat"), session=session, limit=30)) == ids_of(spelled_out)
    plain = await stack.search(filled, Query(text="a cat"), session=session, marks=False, limit=30)
    assert ids_of(plain) == (await ranking(stack, filled, Query(text="a cat")))[:30]
    vectors = await stack.vectors(filled, [10, 11, 12])
    by_hand = POSITIVE * (vectors[10] + vectors[11]) / 2 - NEGATIVE * vectors[12]
    found = await stack.search(filled, Query(), session=session, limit=5)
    assert found.hits is not None
    best = await stack.vectors(filled, [found.hits[0].id])
    assert found.hits[0].score == pytest.approx(float(best[found.hits[0].id] @ unit(by_hand)), abs=1e-5)
    turned = await stack.search(filled, Query(text="a cat", negative=[10]), session=session, limit=30)
    assert ids_of(turned) == ids_of(
        await stack.search(filled, Query(text="a cat", positive=[11], negative=[10, 12]), limit=30)
    )


async def test_a_mark_whose_item_is_gone_breaks_no_search(
    stack: Stack, filled: str, session: str, marking: Marking
) -> None:
    await marking.mark("t", session, Marks(collection=filled, positive=MarkChange(add=[10, 2**40])))
    found = await stack.search(filled, Query(text="a cat"), session=session, limit=9)
    assert ids_of(found) == ids_of(await stack.search(filled, Query(text="a cat", positive=[10]), limit=9))


async def test_fifty_pages_have_every_item_once_and_in_order(stack: Stack, filled: str, session: str) -> None:
    query = Query(text="a red square")
    wanted = await ranking(stack, filled, query)
    pages = [await stack.search(filled, query, session=session, limit=11)]
    while not pages[-1].exhausted:
        pages.append(await next_page(stack, filled, session, limit=11))
        assert pages[-1].took.encode_ms == 0.0
    assert len(pages) > 50
    assert [ids_of(page) for page in pages] == [wanted[at : at + 11] for at in range(0, len(wanted), 11)]
    assert ids_of(await next_page(stack, filled, session, limit=11)) == []


async def test_pages_of_groups_have_every_group_once(stack: Stack, filled: str, session: str) -> None:
    whole = await stack.search(filled, Query(text="x"), group_by="video", limit=200, group_size=2)
    assert whole.groups is not None
    page = await stack.search(filled, Query(text="x"), session=session, group_by="video", group_size=2, limit=9)
    shown = list(page.groups or [])
    while not page.exhausted:
        page = await next_page(stack, filled, session, limit=9)
        shown += page.groups or []
    assert shown == whole.groups
    assert len(shown) == GROUPS


async def test_what_is_marked_between_two_pages_is_kept_to(
    stack: Stack, filled: str, session: str, marking: Marking
) -> None:
    wanted = await ranking(stack, filled, Query(text="b"))
    await stack.search(filled, Query(text="b"), session=session, limit=5)
    await marking.mark("t", session, Marks(collection=filled, exclude=IdChange(add=wanted[6:8])))
    found = await next_page(stack, filled, session, limit=5, seen=wanted[5:6])
    assert ids_of(found) == wanted[8:13]


async def test_what_a_search_shows_is_remembered_when_asked(
    stack: Stack, filled: str, session: str, marking: Marking
) -> None:
    wanted = await ranking(stack, filled, Query(text="c"))
    await stack.search(filled, Query(text="c"), session=session, remember=True, limit=5)
    assert ids_of(await stack.search(filled, Query(text="c"), session=session, slot="other", limit=2)) == wanted[5:7]
    assert ids_of(await next_page(stack, filled, session, limit=5)) == wanted[5:10]
    sets = (await marking.view("t", session, filled)).sets
    assert sets is not None
    assert set(sets.seen) == set(wanted[:10])
    assert sets.counts.seen == 10


async def test_a_page_that_nobody_got_comes_again(stack: Stack, filled: str, session: str, marking: Marking) -> None:
    """As when a worker dies after it has kept a page, or the job is superseded just then."""
    wanted = await ranking(stack, filled, Query(text="d"))
    await stack.search(filled, Query(text="d"), session=session, remember=True, limit=5)
    job = await stack.run(Search(collection=filled, session=session, next=True, limit=5))
    redis = stack.parts.redis
    await redis.hset(keys.record(job.id), "state", "superseded")
    assert ids_of(await next_page(stack, filled, session, limit=5)) == wanted[5:10]
    assert ids_of(await next_page(stack, filled, session, limit=5)) == wanted[10:15]
    sets = (await marking.view("t", session, filled)).sets
    assert sets is not None
    assert set(sets.seen) == set(wanted[:15])


async def test_the_same_job_run_again_shows_the_same_page(stack: Stack, filled: str, session: str) -> None:
    sittings, search = stack.parts.sittings, Search(collection=filled, query=Query(text="e"), session=session)
    asked = Asked(search=search, vector=b"", model="m", named=[])
    for _ in range(2):
        assert (await sittings.recall("t", search, job_id="j1")).seen.tolist() == []
        await sittings.keep("t", search, job_id="j1", asked=asked, shown=[1, 2], groups=[], remember=True)
    assert sorted((await sittings.recall("t", search, job_id="j2")).seen.tolist()) == [1, 2]


async def test_a_page_of_a_slot_that_a_newer_job_took_is_not_kept(stack: Stack, filled: str, session: str) -> None:
    sittings = stack.parts.sittings
    search = Search(collection=filled, query=Query(text="e"), session=session, slot="s")
    await stack.parts.redis.hset(keys.slots("t", session), "s", "newer")
    asked = Asked(search=search, vector=b"", model="m", named=[])
    await sittings.keep("t", search, job_id="older", asked=asked, shown=[1], groups=[], remember=True)
    assert (await sittings.recall("t", search, job_id="newer")).seen.tolist() == []


async def test_slots_go_on_apart_and_sixteen_are_remembered(stack: Stack, filled: str, session: str) -> None:
    wanted = await ranking(stack, filled, Query(text="f"))
    for number in range(17):
        await stack.search(filled, Query(text="f"), session=session, slot=f"s{number}", limit=number + 1)
    page = await next_page(stack, filled, session, slot="s16", limit=3)
    assert ids_of(page) == wanted[17:20]
    told = await stack.problem(Search(collection=filled, session=session, slot="s0", next=True))
    assert told.type == "nothing-to-continue"


@pytest.mark.parametrize(
    ("search", "slug", "field"),
    [
        ({"next": True}, "nothing-to-continue", "next"),
        ({}, "invalid", "query"),
        ({"session": "none"}, "session-not-found", None),
    ],
)
async def test_what_cannot_be_is_told(
    stack: Stack, filled: str, session: str, search: dict[str, object], slug: str, field: str | None
) -> None:
    problem: Problem = await stack.problem(Search(collection=filled, **{"session": session, **search}))  # type: ignore[arg-type]
    assert (problem.type, problem.field) == (slug, field)


async def test_a_session_that_ends_while_a_search_waits_or_runs(stack: Stack, filled: str, session: str) -> None:
    sittings, redis = stack.parts.sittings, stack.parts.redis
    search = Search(collection=filled, query=Query(text="e"), session=session)
    await sittings.recall("t", search, job_id="j1")
    await Sessions(redis, stack.parts.settings).drop("t", session)
    asked = Asked(search=search, vector=b"", model="m", named=[])
    await sittings.keep("t", search, job_id="j1", asked=asked, shown=[1], groups=[], remember=True)
    assert await redis.keys(f"*{session}*") == []
    assert (await stack.problem(search)).type == "session-not-found"


async def test_many_people_at_once_each_get_their_own_pages(stack: Stack, filled: str, marking: Marking) -> None:
    sessions = Sessions(stack.parts.redis, stack.parts.settings)

    async def sit(number: int) -> None:
        session, query = await sessions.create("t"), Query(text=f"person {number}")
        wanted = await ranking(stack, filled, query)
        found = ids_of(await stack.search(filled, query, session=session, limit=7, remember=True))
        for _ in range(4):
            found += ids_of(await next_page(stack, filled, session, limit=7))
        assert found == wanted[:35]
        sets = (await marking.view("t", session, filled)).sets
        assert sets is not None
        assert set(sets.seen) == set(found)

    await asyncio.gather(*(sit(number) for number in range(8)))


async def test_the_history_says_what_to_ask_again(stack: Stack, filled: str, session: str, marking: Marking) -> None:
    where = Filter(must=[Condition(key="n", range=Range(lt=300))])
    await stack.search(filled, Query(text="a cat"), session=session, filter=where, limit=5, seen=[1])
    await next_page(stack, filled, session, limit=5)
    await stack.search(filled, Query(item=10), session=session, group_by="video", limit=5)
    newest, oldest = (await marking.history("t", session, limit=50)).history
    assert newest.search == {"collection": filled, "query": {"item": 10}, "limit": 5, "group_by": "video"}
    assert (oldest.by, oldest.picture, oldest.at[-1]) == (None, False, "Z")
    assert oldest.search is not None
    again = msgspec.convert({**oldest.search, "session": session, "marks": False}, Search)
    assert again.filter == where
    assert (await marking.history("t", session, limit=1)).history == [newest]


async def test_of_words_that_grow_in_a_slot_the_history_keeps_the_last(
    stack: Stack, filled: str, session: str, marking: Marking
) -> None:
    for text in ("r", "re", "red", "blue"):
        await stack.search(filled, Query(text=text), session=session, slot="typing", limit=2)
    kept = (await marking.history("t", session, limit=50)).history
    assert [(one.search or {})["query"]["text"] for one in kept] == ["blue", "red"]


async def test_the_same_words_with_something_else_are_another_query_of_the_history(
    stack: Stack, filled: str, session: str, marking: Marking
) -> None:
    where = Filter(must=[Condition(key="n", range=Range(lt=300))])
    for query, filter_ in (
        (Query(text="red"), None),
        (Query(text="red"), None),
        (Query(text="red", positive=[10]), None),
        (Query(text="red", positive=[10]), where),
        (Query(text="red"), None),
        (Query(positive=[10]), None),
        (Query(positive=[10], text="b"), None),
        (Query(positive=[10], text="blue"), None),
    ):
        await stack.search(filled, query, session=session, slot="typing", filter=filter_, limit=2)
    kept = [one.search or {} for one in (await marking.history("t", session, limit=50)).history]
    assert [(one["query"].get("text"), "positive" in one["query"], "filter" in one) for one in reversed(kept)] == [
        ("red", False, False),
        ("red", True, False),
        ("red", True, True),
        ("red", False, False),
        (None, True, False),
        ("blue", True, False),
    ]


def test_the_words_of_a_further_step_grow_as_those_of_the_first() -> None:
    def asked(*texts: str) -> bytes:
        then = [Then(query=Query(text=text)) for text in texts]
        return history.words(Search(collection="c", query=Query(text="cat"), then=then))

    assert asked("dog").startswith(asked("do"))
    assert asked("dog", "bus").startswith(asked("dog", "b"))
    assert not asked("dog").startswith(asked())


async def test_the_history_is_bounded(stack: Stack, filled: str, session: str, marking: Marking) -> None:
    search = Search(collection=filled, query=Query(text="x"), session=session)
    asked = Asked(search=search, vector=b"", model="m", named=[])
    for number in range(205):
        entry = history.packed(search, job_id=str(number), at_ms=1, picture=False)
        await stack.parts.sittings.keep(
            "t", search, job_id=str(number), asked=asked, shown=[], groups=[], remember=False, entry=entry
        )
        await stack.parts.redis.delete(f"{keys.session('t', session)}:last:main")
    kept = (await marking.history("t", session, limit=200)).history
    assert ([kept[0].job, kept[-1].job], len(kept)) == (["204", "5"], 200)
    large = Search(collection=filled, query=Query(positive=list(range(10**12, 10**12 + 1_000)), negative=[1]))
    many = msgspec.structs.replace(large, query=Query(positive=large.query.positive, negative=large.query.positive))
    told = history.read(b"\0" + history.packed(many, job_id="j", at_ms=1, picture=False), {})
    assert (told.search, told.collection) == (None, filled)


async def test_members_of_a_team_share_what_is_seen_and_keep_their_own_pages(
    stack: Stack, filled: str, session: str, marking: Marking
) -> None:
    sessions = Sessions(stack.parts.redis, stack.parts.settings)
    ann, ben = [(await sessions.join("t", session, name))[0].session for name in ("Ann", "Ben")]
    wanted = await ranking(stack, filled, Query(text="g"))
    assert ids_of(await stack.search(filled, Query(text="g"), session=ann, remember=True, limit=3)) == wanted[:3]
    assert ids_of(await stack.search(filled, Query(text="g"), session=ben, remember=True, limit=3)) == wanted[3:6]
    assert ids_of(await next_page(stack, filled, ann, limit=3)) == wanted[6:9]
    told = await stack.problem(Search(collection=filled, session=session, next=True))
    assert told.type == "nothing-to-continue"
    assert [one.by for one in (await marking.history("t", session, limit=9)).history] == ["Ben", "Ann"]


@pytest.mark.parametrize("seen", [[], [5, 7]])
@pytest.mark.parametrize("more", [[], [7, 3, 3, 2**64 - 1], list(range(2 * FEW_IDS, 0, -1)) * 2])
def test_what_must_not_come_back_is_told_once_and_in_order(seen: list[int], more: list[int]) -> None:
    assert Sitting(seen=np.array(seen, dtype=np.uint64)).excluded(more) == sorted({*seen, *more})
