"""A search for "this, then that" finds the videos that brute force finds."""

import io
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from PIL import Image

from shared.filters import Condition, Filter
from shared.jobs import Exclude, File, Query, Search, SearchResult, Then
from shared.sessions import Sessions
from tests.workers.ingest.clips import Picture, scene, scenes, write_clip
from tests.workers.tasks.stack import Stack
from workers.stores.protocol import Point, VectorQuery
from workers.tasks import candidates, sequence
from workers.tasks.names import frame_source, item_id
from workers.tasks.sequence import search_sequences

pytestmark = pytest.mark.anyio

DIM = 16
Vectors = npt.NDArray[np.float32]
some = settings(
    max_examples=20,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
# Words, numbers and truths that read alike; what is no group, and items without a time.
keys = st.sampled_from(["a", "b", "c", 1, True, "1", None])
rows = st.lists(st.tuples(keys, st.none() | st.integers(0, 30), st.integers(0, 5)), min_size=1, max_size=50)


def unit(seed: int, count: int) -> Vectors:
    vectors = np.random.default_rng(seed).normal(size=(count, DIM)).astype("<f4")
    unit_ones: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit_ones


def payload_of(key: Any, start: int | None, length: int) -> dict[str, Any]:
    times = {} if start is None else {"start_s": float(start), "end_s": float(start + length)}
    return {"video": key, **times} if key is not None else times


async def fill(stack: Stack, vectors: Vectors, found: list[tuple[Any, int | None, int]]) -> None:
    await stack.parts.store.drop("t.sequence")
    await stack.parts.store.create("t.sequence", dim=DIM, indexes={"video": "keyword"}, meta={})
    points = [
        Point(id=number, vector=vectors[number].tobytes(), payload=payload_of(*row)) for number, row in enumerate(found)
    ]
    await stack.parts.store.upsert("t.sequence", points)


def brute_force(
    found: list[tuple[Any, int | None, int]], scores: Vectors, within: list[float], excluded: set[int]
) -> dict[tuple[type, Any], float]:
    """The best total of each group that has a chain; `scores` is (steps, items)."""
    best: dict[tuple[type, Any], float] = {}
    timed = [n for n, (key, start, _) in enumerate(found) if not (start is None or key is None or n in excluded)]
    for items in product(timed, repeat=len(scores)):
        group = (type(found[items[0]][0]), found[items[0]][0])
        if any((type(found[one][0]), found[one][0]) != group for one in items):
            continue
        spans = [(float(found[one][1] or 0), float((found[one][1] or 0) + found[one][2])) for one in items]
        pairs = zip(spans, spans[1:], within, strict=False)
        if all(b[0] > a[0] and b[0] - a[1] <= bound for a, b, bound in pairs):
            total = float(sum(scores[step][one] for step, one in enumerate(items)))
            best[group] = max(best.get(group, -10.0), total)
    return best


@some
@given(
    found=rows,
    seed=st.integers(0, 2**32 - 1),
    limit=st.integers(1, 4),
    within=st.lists(st.integers(1, 15).map(float), min_size=1, max_size=2),
    excluded=st.sets(st.integers(0, 49), max_size=5),
    smallest=st.sampled_from([1, 4, 128]),
    index=st.sampled_from(["keyword", None]),
)
async def test_videos_and_chains_are_those_of_brute_force(
    stack: Stack,
    monkeypatch: pytest.MonkeyPatch,
    found: list[tuple[Any, int | None, int]],
    seed: int,
    limit: int,
    within: list[float],
    excluded: set[int],
    smallest: int,
    index: str | None,
) -> None:
    """However small the first pages are: what was not seen is bounded, or looked at."""
    monkeypatch.setattr(sequence, "SMALLEST", smallest)
    monkeypatch.setattr(sequence, "PER_GROUP", 1)
    monkeypatch.setattr(candidates, "FURTHER", 2)
    if len(within) == 2:
        found = found[:20]
    if not any(key is not None and start is not None for key, start, _ in found):
        found[0] = ("a", 0, 1)
    excluded.discard(next(n for n, (key, start, _) in enumerate(found) if key is not None and start is not None))
    vectors = unit(seed, len(found) + 3)
    await fill(stack, vectors, found)
    steps = vectors[len(found) :][: len(within) + 1]
    job = Search(
        collection="sequence",
        query=Query(text="-"),
        then=[Then(query=Query(text="-"), within_s=bound) for bound in within],
        limit=limit,
    )
    queries = [VectorQuery(vector=step.tobytes(), limit=1, exclude_ids=sorted(excluded)) for step in steps]
    answer = await search_sequences("t.sequence", queries, field="video", index=index, job=job, parts=stack.parts)

    scores = steps @ vectors[: len(found)].T
    wanted = brute_force(found, scores, within, excluded)
    best = sorted(wanted.values(), reverse=True)[:limit]
    told = [(type(one.group), one.group) for one in answer.groups]
    assert len(set(told)) == len(told)
    assert len(told) == min(limit, len(wanted))
    totals = [(one.score or 0) * len(steps) for one in answer.groups]
    assert totals == sorted(totals, reverse=True)
    assert totals == pytest.approx(best, abs=1e-4)
    assert [wanted[key] for key in told] == pytest.approx(best, abs=1e-4)
    for one in answer.groups:
        assert [hit.score for hit in one.hits] == pytest.approx(
            [scores[step][hit.id] for step, hit in enumerate(one.hits)], abs=1e-4
        )
    assert answer.exhausted == (len(wanted) <= limit)


async def test_pictures_among_the_videos_do_not_fill_the_pages(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """The nearest items have no time: the bound on candidates is not spent on them."""
    monkeypatch.setattr(sequence, "SMALLEST", 4)
    monkeypatch.setattr(sequence, "LARGEST", 4)
    vectors = unit(3, 203)
    nearest = np.argsort(-(vectors[:200] @ vectors[200]))
    found: list[tuple[Any, int | None, int]] = [("a", None, 0)] * 200
    for place, number in enumerate(nearest[100:104]):
        found[number] = ("a", 5 * place, 1)
    await fill(stack, vectors, found)
    job = Search(collection="sequence", query=Query(text="-"), then=[Then(query=Query(text="-"))])
    queries = [VectorQuery(vector=vectors[200].tobytes(), limit=1)] * 2
    answer = await search_sequences("t.sequence", queries, field="video", index="keyword", job=job, parts=stack.parts)
    assert [one.group for one in answer.groups] == ["a"]


async def test_a_bound_on_candidates_ends_a_search_that_is_not_exhausted(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sequence, "SMALLEST", 4)
    monkeypatch.setattr(sequence, "PER_GROUP", 1)
    monkeypatch.setattr(sequence, "ENOUGH", 4)
    monkeypatch.setattr(sequence, "LARGEST", 16)
    vectors = unit(4, 102)
    await fill(stack, vectors, [("a", 100 * number, 1) for number in range(100)])
    job = Search(collection="sequence", query=Query(text="-"), then=[Then(query=Query(text="-"), within_s=1.0)])
    queries = [VectorQuery(vector=vector.tobytes(), limit=1) for vector in vectors[100:]]
    answer = await search_sequences("t.sequence", queries, field="video", index=None, job=job, parts=stack.parts)
    assert (answer.groups, answer.exhausted) == ([], False)


async def test_pages_grow_until_there_are_enough_videos(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sequence, "SMALLEST", 4)
    monkeypatch.setattr(sequence, "PER_GROUP", 1)
    vectors = unit(5, 102)
    await fill(stack, vectors, [(f"v{number % 10}", number, 1) for number in range(100)])
    job = Search(collection="sequence", query=Query(text="-"), then=[Then(query=Query(text="-"))], limit=8)
    queries = [VectorQuery(vector=vector.tobytes(), limit=1) for vector in vectors[100:]]
    answer = await search_sequences("t.sequence", queries, field="video", index=None, job=job, parts=stack.parts)
    assert (len(answer.groups), answer.exhausted) == (8, False)
    assert answer.rounds > len(queries)


@pytest.mark.parametrize(("best", "index", "further"), [("b", "keyword", 1), (2**63, "integer", 2), ("b", None, 2)])
async def test_an_end_that_no_page_has_is_found_by_asking_about_its_video(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, best: str | int, index: str | None, further: int
) -> None:
    """The pages have the chains of `a` and `c`, and of the best the beginning alone. What no filter finds takes larger
    pages."""
    monkeypatch.setattr(sequence, "SMALLEST", 5)
    monkeypatch.setattr(sequence, "PER_GROUP", 1)
    begins = [(best, 0.99), ("a", 0.6), ("c", 0.55)]
    ends = [("x", 0.9), ("y", 0.8), ("z", 0.7), ("a", 0.6), ("c", 0.58), (best, 0.5)]
    vectors = np.zeros((len(begins) + len(ends), DIM), dtype="<f4")
    for number, (axis, score) in enumerate([(0, one) for _, one in begins] + [(1, one) for _, one in ends]):
        vectors[number, axis], vectors[number, 2 + number] = score, np.sqrt(1 - score**2)
    rows = [*((key, 0) for key, _ in begins), *((key, 5) for key, _ in ends)]
    await fill(stack, vectors, [(key, start, 1) for key, start in rows])
    job = Search(collection="sequence", query=Query(text="-"), then=[Then(query=Query(text="-"))], limit=1)
    queries = [VectorQuery(vector=axis.tobytes(), limit=1) for axis in np.eye(DIM, dtype="<f4")[:2]]
    answer = await search_sequences("t.sequence", queries, field="video", index=index, job=job, parts=stack.parts)
    assert [(one.group, [hit.id for hit in one.hits]) for one in answer.groups] == [(best, [0, 8])]
    assert answer.rounds == len(queries) + further


# -- whole searches over real videos


async def films(stack: Stack, lengths: dict[str, list[int]], **spec: Any) -> str:
    """Videos by the scenes that they show, a second each."""
    collection = await stack.create(**(spec or {"group_field": "video"}))
    for name, numbers in lengths.items():
        pictures = [picture for number in numbers for picture in scenes([1.0], first=number)]
        path = write_clip(stack.folder / name, pictures)
        await stack.ingest(collection, [File(source=name, path=str(path))])
    return collection


def png(picture: Picture) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()


def frame(name: str, position: int) -> int:
    return item_id(frame_source(name, position))


def ids(result: SearchResult) -> list[tuple[Any, list[int]]]:
    return [(one.group, [hit.id for hit in one.hits]) for one in result.groups or []]


async def test_the_order_in_time_decides(stack: Stack) -> None:
    collection = await films(stack, {"ab.mp4": [1, 2], "ba.mp4": [2, 1], "a-b.mp4": [1, 5, 6, 7, 2]})
    query, then = (Query(image=png(scene(number))) for number in (1, 2))
    close = await stack.search(collection, query, then=[Then(query=then, within_s=1.0)], limit=1)
    assert ids(close) == [("ab.mp4", [frame("ab.mp4", 0), frame("ab.mp4", 1)])]
    wide = await stack.search(collection, query, then=[Then(query=then, within_s=5.0)], limit=2)
    assert {group for group, _ in ids(wide)} == {"ab.mp4", "a-b.mp4"}
    assert dict(ids(wide))["a-b.mp4"] == [frame("a-b.mp4", 0), frame("a-b.mp4", 4)]
    scores = [one.score or 0 for one in wide.groups or []]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] == pytest.approx(sum(hit.score for hit in (wide.groups or [])[0].hits) / 2, abs=1e-5)
    back = await stack.search(collection, then, then=[Then(query=query, within_s=1.0)], limit=1)
    assert ids(back) == [("ba.mp4", [frame("ba.mp4", 0), frame("ba.mp4", 1)])]


async def test_filters_seen_and_excluded_groups_hold_for_every_step(stack: Stack) -> None:
    collection = await films(stack, {"x.mp4": [1, 2, 3], "y.mp4": [1, 2, 3], "z.mp4": [4]})
    then = [Then(query=Query(text="cat"), within_s=60.0)]
    everything = await stack.search(collection, Query(text="dog"), then=then)
    assert {group for group, _ in ids(everything)} == {"x.mp4", "y.mp4"}, "one item is no sequence"
    assert everything.exhausted
    one = await stack.search(collection, Query(text="dog"), then=then, limit=1)
    assert (len(one.groups or []), one.exhausted) == (1, False)
    rest = await stack.search(collection, Query(text="dog"), then=then, exclude=Exclude(groups=["x.mp4"]))
    assert [group for group, _ in ids(rest)] == ["y.mp4"]
    seen = [frame("x.mp4", 1), frame("x.mp4", 2)]
    unseen = await stack.search(collection, Query(text="dog"), then=then, seen=seen)
    assert [group for group, _ in ids(unseen)] == ["y.mp4"]
    where = Filter(must=[Condition(key="video", match="x.mp4")])
    filtered = await stack.search(collection, Query(text="dog"), then=then, filter=where, payload=False)
    assert [group for group, _ in ids(filtered)] == ["x.mp4"]
    assert all(hit.payload is None and hit.source is None for hit in (filtered.groups or [])[0].hits)
    named = await stack.search(
        collection, Query(item=frame("x.mp4", 0)), then=[Then(query=Query(item=frame("x.mp4", 1)), within_s=60.0)]
    )
    assert not {frame("x.mp4", 0), frame("x.mp4", 1)} & {one for _, found in ids(named) for one in found}


async def test_a_session_goes_on_with_a_sequence_and_shows_no_video_twice(stack: Stack) -> None:
    names = ["x.mp4", "y.mp4", "z.mp4"]
    collection = await films(stack, {name: [1, 2, 3] for name in names})
    session = await Sessions(stack.parts.redis, stack.parts.settings).create("t")
    then = [Then(query=Query(image=png(scene(3))), within_s=60.0)]
    pages = [await stack.search(collection, Query(text="dog"), then=then, session=session, slot="s", limit=1)]
    while not pages[-1].exhausted:
        pages.append(await stack.search(collection, Query(), session=session, slot="s", next=True, limit=1))
    assert sorted(group for page in pages for group, _ in ids(page)) == names
    assert [len(found) for page in pages for _, found in ids(page)] == [2, 2, 2]
    assert all(page.took.encode_ms == 0 for page in pages[1:])


async def test_three_steps_are_encoded_together(stack: Stack) -> None:
    collection = await films(stack, {"x.mp4": [1, 2, 3, 4]})
    then = [Then(query=Query(text=text), within_s=60.0) for text in ("sequence two", "sequence three")]
    result = await stack.search(collection, Query(text="sequence one"), then=then)
    [(group, found)] = ids(result)
    positions = [(hit.payload or {})["position"] for hit in (result.groups or [])[0].hits]
    assert (group, len(found)) == ("x.mp4", 3)
    assert positions == sorted(set(positions))


async def test_what_has_no_order_in_time_is_told(stack: Stack) -> None:
    then = [Then(query=Query(text="b"))]
    flat = await stack.create()
    job = Search(collection=flat, query=Query(text="a"), then=then)
    problem = await stack.problem(job)
    assert (problem.type, problem.field) == ("invalid", "then")
    assert "group_field" in problem.detail
    still = await stack.create(group_field="video")
    await stack.ingest(still, [stack.file("a.png", payload={"video": "v"}), stack.file("b.png")])
    problem = await stack.problem(Search(collection=still, query=Query(text="a"), then=then))
    assert (problem.type, problem.field) == ("invalid", "then")
    assert "start_s" in problem.detail
    empty = await stack.create(group_field="video")
    nothing = await stack.search(empty, Query(text="a"), then=then)
    assert (nothing.groups, nothing.exhausted) == ([], True)
    blank = Search(collection=still, query=Query(text="a"), then=[Then(query=Query())])
    assert (await stack.problem(blank)).field == "then[0].query"
    wrong = Search(collection=still, query=Query(text="a"), then=[Then(query=Query(item=5))])
    assert (await stack.problem(wrong)).field == "then[0].query"


async def test_a_group_can_be_named_where_the_collection_has_none(stack: Stack) -> None:
    collection = await films(stack, {"x.mp4": [1, 2]}, payload={"video": "keyword"})
    result = await stack.search(collection, Query(text="a"), then=[Then(query=Query(text="b"))], group_by="video")
    assert [group for group, _ in ids(result)] == ["x.mp4"]
