"""Where the likely relevant hits end, against the line drawn over all vectors by hand."""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from shared.clock import now_ms
from shared.errors import StoreAway
from shared.filters import Condition, Filter, Range
from shared.jobs import Exclude, Query, Search, SearchResult, Then
from shared.sessions import Sessions
from tests.workers.tasks.stack import Stack
from workers.backgrounds import Backgrounds
from workers.relevance import BEST, SHARE, SPREAD
from workers.stores.protocol import StoredPoint
from workers.stores.qdrant_edge import QdrantEdgeStore
from workers.tasks.call import Call
from workers.tasks.search import search

pytestmark = pytest.mark.anyio

COUNT = 40
TEXT = "a red square"
Vector = npt.NDArray[np.float32]


@pytest.fixture(scope="module")
async def filled(stack: Stack) -> str:
    collection = await stack.create(group_field="video", payload={"n": "integer"})
    files = [
        stack.file(f"{number}.png", seed=number, payload={"video": f"v{number % 8}", "n": number})
        for number in range(COUNT)
    ]
    assert (await stack.ingest(collection, files)).added == COUNT
    return collection


@pytest.fixture
async def session(stack: Stack) -> str:
    return await Sessions(stack.parts.redis, stack.parts.settings).create("t")


async def drawn(stack: Stack, collection: str, vector: Vector, *, without: set[int] | None = None) -> float:
    """The line: a sample of so few is all of them."""
    ids = [item.id for item in (await stack.all_items(collection)).values()]
    vectors = await stack.vectors(collection, ids)
    scores = np.array([vectors[one] @ vector for one in ids])
    best = sorted((vectors[one] @ vector for one in ids if one not in (without or set())), reverse=True)[:BEST]
    floor = float(scores.mean() - SPREAD * scores.std())
    return floor + SHARE * (float(np.mean(best)) - floor)


async def text_line(stack: Stack, collection: str) -> float:
    return await drawn(stack, collection, (await stack.parts.batcher.text(TEXT)).vector)


def near(line: float) -> Any:
    return pytest.approx(line, abs=2e-5)


def assert_counted(result: SearchResult) -> None:
    """`relevant` are the hits, or groups, down to the line; whatever comes behind scores less."""
    assert result.line is not None
    assert result.relevant is not None
    scores = [hit.score for hit in result.hits or []] + [group.hits[0].score for group in result.groups or []]
    assert all(score >= result.line for score in scores[: result.relevant])
    assert all(score < result.line for score in scores[result.relevant :])


async def test_a_result_says_how_many_hits_are_likely_relevant(stack: Stack, filled: str) -> None:
    result = await stack.search(filled, Query(text=TEXT), limit=COUNT)
    assert result.line == near(await text_line(stack, filled))
    assert_counted(result)
    assert 1 <= (result.relevant or 0) < COUNT


@pytest.mark.parametrize(
    "more",
    [
        {"limit": 1},
        {"limit": 2},
        {"filter": Filter(must=[Condition(key="n", range=Range(gte=COUNT // 2))])},
        {"filter": Filter(must=[Condition(key="n", match=COUNT + 1)])},
        {"exclude": Exclude(groups=["v0", "v1"])},
        {"group_by": "video", "limit": 8},
    ],
    ids=str,
)
async def test_the_line_is_the_querys_own_whatever_is_left_of_its_hits(
    stack: Stack, filled: str, more: dict[str, Any]
) -> None:
    result = await stack.search(filled, Query(text=TEXT), **more)
    assert result.line == near(await text_line(stack, filled))
    assert_counted(result)


async def test_pages_share_one_line_and_count_what_is_above_it_once(stack: Stack, filled: str, session: str) -> None:
    whole = await stack.search(filled, Query(text=TEXT), limit=COUNT)
    pages = [await stack.search(filled, Query(text=TEXT), limit=3, session=session)]
    while not pages[-1].exhausted:
        pages.append(await stack.search(filled, Query(), limit=3, session=session, next=True))
    assert {page.line for page in pages} == {pages[0].line}
    assert pages[0].line == near(whole.line or 0)
    assert sum(page.relevant or 0 for page in pages) == whole.relevant
    for page in pages:
        assert_counted(page)


async def test_leaving_out_what_was_seen_moves_no_line(stack: Stack, filled: str, session: str) -> None:
    whole = await stack.search(filled, Query(text=TEXT), limit=COUNT)
    first = [hit.id for hit in (whole.hits or [])[:5]]
    told = await stack.search(filled, Query(text=TEXT), seen=first, limit=COUNT)
    assert told.line == near(whole.line or 0)
    assert told.relevant == max(0, (whole.relevant or 0) - 5)
    await stack.search(filled, Query(text=TEXT), limit=5, session=session, remember=True)
    kept = await stack.search(filled, Query(text=TEXT), limit=COUNT, session=session)
    assert (kept.line, kept.relevant) == (near(whole.line or 0), told.relevant)


async def test_an_item_that_is_named_does_not_raise_the_line(stack: Stack, filled: str) -> None:
    one = (await stack.all_items(filled))["3.png"].id
    vector = (await stack.vectors(filled, [one]))[one]
    result = await stack.search(filled, Query(item=one), limit=COUNT)
    assert result.line == near(await drawn(stack, filled, vector, without={one}))
    assert_counted(result)


async def test_scores_that_are_no_cosines_have_no_line(stack: Stack, filled: str) -> None:
    one, other = [item.id for item in (await stack.all_items(filled)).values()][:2]
    compared = await stack.search(filled, Query(positive=[one], negative=[other], feedback="recommend"))
    turned = await stack.search(filled, Query(text=TEXT, positive=[one], feedback="classifier"))
    assert (compared.relevant, compared.line) == (None, None)
    assert_counted(turned)


async def test_a_sequence_has_no_line(stack: Stack) -> None:
    collection = await stack.create(group_field="video")
    files = [
        stack.file(f"s{number}.png", payload={"video": "v", "start_s": number, "end_s": number}) for number in range(4)
    ]
    await stack.ingest(collection, files)
    result = await stack.search(collection, Query(text=TEXT), then=[Then(query=Query(text="blue"))])
    assert result.groups
    assert (result.relevant, result.line) == (None, None)


async def test_an_empty_collection_has_no_line_and_one_picture_is_above_its_own(stack: Stack) -> None:
    collection = await stack.create()
    empty = await stack.search(collection, Query(text=TEXT))
    assert (empty.hits, empty.relevant, empty.line) == ([], None, None)
    await stack.ingest(collection, [stack.file("only.png")])
    alone = await stack.answer(Search(collection=collection, query=Query(text=TEXT)))
    assert alone["relevant"] == 1


class Sampleless(QdrantEdgeStore):
    """As a server that answers searches in time, and a draw of half a thousand vectors not."""

    async def sample(self, name: str, limit: int) -> list[StoredPoint]:
        raise StoreAway("not in time")


async def test_a_search_whose_sample_cannot_be_had_answers_without_a_line(stack: Stack, filled: str) -> None:
    parts = replace(stack.parts, backgrounds=Backgrounds(Sampleless(stack.parts.settings)))
    call = Call(job_id="unsampled", tenant="t", attempt=1, due_ms=now_ms(), queued_ms=0.0)
    result = await search(Search(collection=filled, query=Query(text=TEXT)), call, parts)
    assert len(result.hits or []) == 24
    assert (result.relevant, result.line) == (None, None)
