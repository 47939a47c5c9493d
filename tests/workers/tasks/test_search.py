"""Searching, from a query's parts to hits, against brute force over what the store holds."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from shared.clock import now_ms
from shared.errors import ModelMismatch
from shared.filters import Condition, Filter
from shared.jobs import CollectionTask, Exclude, Query, Search, SearchResult, WeightedText
from shared.settings import Settings
from tests.workers.fleet import eventually
from tests.workers.models import save_model
from tests.workers.tasks.stack import Stack, fresh_name
from workers.encoders.load import load_encoder
from workers.feedback import NEGATIVE, POSITIVE
from workers.tasks.call import Call
from workers.tasks.search import search

pytestmark = pytest.mark.anyio

COUNT = 30
Vector = npt.NDArray[np.float32]


@pytest.fixture(scope="module")
async def filled(stack: Stack) -> str:
    """Thirty pictures in three groups; a few payload fields."""
    collection = await stack.create(group_field="video", payload={"n": "integer", "even": "bool"})
    files = [
        stack.file(
            f"{number}.png", seed=number, payload={"video": f"v{number % 3}", "n": number, "even": number % 2 == 0}
        )
        for number in range(COUNT)
    ]
    result = await stack.ingest(collection, files)
    assert result.added == COUNT
    return collection


async def ranked(stack: Stack, collection: str, vector: Vector) -> list[tuple[int, float]]:
    """Every item's id and cosine, best first."""
    ids = [item.id for item in (await stack.all_items(collection)).values()]
    vectors = await stack.vectors(collection, ids)
    unit = vector / np.linalg.norm(vector)
    return sorted(((one, float(vectors[one] @ unit)) for one in ids), key=lambda row: -row[1])


async def text_vector(stack: Stack, text: str) -> Vector:
    return (await stack.parts.batcher.text(text)).vector


def ids_of(result: SearchResult) -> list[int]:
    assert result.hits is not None
    return [hit.id for hit in result.hits]


def assert_ranked(result: SearchResult, wanted: list[tuple[int, float]]) -> None:
    """The same ids in the same order, up to what float32 leaves open."""
    assert result.hits is not None
    assert len(result.hits) == len(wanted)
    scores = dict(wanted)
    for hit, (_, score) in zip(result.hits, wanted, strict=True):
        assert hit.score == pytest.approx(score, abs=2e-5)
        assert scores[hit.id] == pytest.approx(hit.score, abs=2e-5)


async def test_a_text_finds_the_nearest_pictures_in_order(stack: Stack, filled: str) -> None:
    result = await stack.search(filled, Query(text="a red square"), limit=10)
    assert_ranked(result, (await ranked(stack, filled, await text_vector(stack, "a red square")))[:10])
    assert result.model == stack.parts.encoder.info.fingerprint
    assert (result.exhausted, result.truncated) == (False, False)
    assert result.took.total_ms >= 0


async def test_a_picture_finds_itself_first(stack: Stack, filled: str) -> None:
    items = await stack.all_items(filled)
    result = await stack.search(filled, Query(image=stack.picture("7.png", seed=7).read_bytes()), limit=3)
    assert result.hits is not None
    assert result.hits[0].id == items["7.png"].id
    assert result.hits[0].score == pytest.approx(1.0, abs=1e-4)
    assert result.hits[0].source == "7.png"


async def test_an_item_finds_its_neighbours_and_never_itself(stack: Stack, filled: str) -> None:
    one = (await stack.all_items(filled))["3.png"].id
    vector = (await stack.vectors(filled, [one]))[one]
    result = await stack.search(filled, Query(item=one), limit=COUNT)
    assert_ranked(result, [row for row in await ranked(stack, filled, vector) if row[0] != one])
    assert result.exhausted


async def test_all_parts_of_a_query_combine_as_rocchio_says(stack: Stack, filled: str) -> None:
    items = await stack.all_items(filled)
    item, *positive = [items[f"{number}.png"].id for number in (1, 2, 3)]
    negative = [items["4.png"].id, items["5.png"].id]
    stored = await stack.vectors(filled, [item, *positive, *negative])
    picture = stack.picture("6.png", seed=6).read_bytes()
    shown = await stack.vectors(filled, [items["6.png"].id])
    vector = await text_vector(stack, "blue") + shown[items["6.png"].id] + stored[item]
    vector = vector + POSITIVE * np.mean([stored[one] for one in positive], axis=0)
    vector = vector - NEGATIVE * np.mean([stored[one] for one in negative], axis=0)
    query = Query(text="blue", image=picture, item=item, positive=positive, negative=negative)
    result = await stack.search(filled, query, limit=COUNT)
    named = {item, *positive, *negative}
    assert_ranked(result, [row for row in await ranked(stack, filled, vector) if row[0] not in named])


async def test_examples_alone_are_a_query(stack: Stack, filled: str) -> None:
    items = await stack.all_items(filled)
    good = [items["1.png"].id, items["2.png"].id]
    stored = await stack.vectors(filled, good)
    result = await stack.search(filled, Query(positive=good), limit=5)
    wanted = await ranked(stack, filled, np.mean([stored[one] for one in good], axis=0))
    assert_ranked(result, [row for row in wanted if row[0] not in good][:5])


async def test_several_texts_combine_by_their_weights(stack: Stack, filled: str) -> None:
    texts = [WeightedText(text="blue", weight=2), WeightedText(text="a red square", weight=-0.5)]
    vector = 2 * await text_vector(stack, "blue") - 0.5 * await text_vector(stack, "a red square")
    result = await stack.search(filled, Query(texts=texts), limit=9)
    assert_ranked(result, (await ranked(stack, filled, vector))[:9])
    vector = vector + await text_vector(stack, "green")
    result = await stack.search(filled, Query(text="green", texts=texts), limit=9)
    assert_ranked(result, (await ranked(stack, filled, vector))[:9])


async def test_recommended_items_are_nearer_to_good_examples_than_to_bad_ones(stack: Stack, filled: str) -> None:
    items = await stack.all_items(filled)
    good, bad = [items["1.png"].id, items["2.png"].id], [items["3.png"].id]
    vectors = await stack.vectors(filled, [item.id for item in items.values()])
    query = Query(positive=good, negative=bad, feedback="recommend")
    found = ids_of(await stack.search(filled, query, limit=COUNT))

    def nearest(id_: int, some: list[int]) -> float:
        return max(float(vectors[id_] @ vectors[one]) for one in some)

    assert set(found) == {item.id for item in items.values()} - {*good, *bad}
    leads = [nearest(one, good) > nearest(one, bad) for one in found]
    assert leads == sorted(leads, reverse=True)
    nearer = [nearest(one, good) for one, lead in zip(found, leads, strict=True) if lead]
    assert nearer == pytest.approx(sorted(nearer, reverse=True), abs=1e-5)


async def test_a_classifier_turns_the_query_to_what_was_marked(stack: Stack, filled: str) -> None:
    items = await stack.all_items(filled)
    good, bad = [items["1.png"].id, items["2.png"].id], [items["3.png"].id]
    vectors = await stack.vectors(filled, [*good, *bad])
    plain = await stack.search(filled, Query(text="blue"), limit=COUNT)
    query = Query(text="blue", positive=good, negative=bad, feedback="classifier")
    turned = await stack.search(filled, query, limit=COUNT)
    assert set(ids_of(turned)) == set(ids_of(plain)) - {*good, *bad}
    alone = await stack.search(filled, Query(positive=good, negative=bad, feedback="classifier"), limit=COUNT)
    assert alone.hits is not None
    # The half that leads is more like the good examples, less like the bad one, than the half that trails.
    stored = await stack.vectors(filled, ids_of(alone))
    wanted = vectors[good[0]] + vectors[good[1]] - 2 * vectors[bad[0]]
    likeness = [float(stored[hit.id] @ wanted) for hit in alone.hits]
    half = len(likeness) // 2
    assert np.mean(likeness[:half]) > np.mean(likeness[half:])


async def test_paging_by_what_was_seen_shows_every_item_once(stack: Stack, filled: str) -> None:
    seen: list[int] = []
    exhausted = False
    while not exhausted:
        result = await stack.search(filled, Query(text="anything"), limit=7, seen=seen)
        seen += ids_of(result)
        exhausted = result.exhausted
    assert len(seen) == len(set(seen)) == COUNT
    last = await stack.search(filled, Query(text="anything"), limit=7, seen=seen)
    assert (ids_of(last), last.exhausted) == ([], True)


@pytest.mark.parametrize(("limit", "exhausted"), [(COUNT - 1, False), (COUNT, True), (COUNT + 1, True)])
async def test_exhausted_means_that_nothing_is_left(stack: Stack, filled: str, limit: int, *, exhausted: bool) -> None:
    result = await stack.search(filled, Query(text="cat"), limit=limit)
    assert (len(ids_of(result)), result.exhausted) == (min(limit, COUNT), exhausted)


async def test_excluded_ids_and_groups_do_not_come_back(stack: Stack, filled: str) -> None:
    items = await stack.all_items(filled)
    out = [items["0.png"].id, items["4.png"].id, 12345]
    exclude = Exclude(ids=out, groups=["v1", "no such"])
    result = await stack.search(filled, Query(text="cat"), limit=COUNT, exclude=exclude, seen=[items["2.png"].id])
    wanted = {items[f"{n}.png"].id for n in range(COUNT) if n % 3 != 1 and n not in {0, 2, 4}}
    assert set(ids_of(result)) == wanted
    assert result.exhausted


async def test_a_filter_narrows_and_exclusions_narrow_further(stack: Stack, filled: str) -> None:
    items = await stack.all_items(filled)
    where = Filter(must=[Condition(key="even", match=True)], must_not=[Condition(key="video", match="v0")])
    result = await stack.search(filled, Query(text="cat"), limit=COUNT, filter=where, seen=[items["2.png"].id])
    wanted = {n for n in range(COUNT) if n % 2 == 0 and n % 3 != 0 and n != 2}
    assert result.hits is not None
    assert {(hit.payload or {})["n"] for hit in result.hits} == wanted


async def test_groups_cannot_be_excluded_where_there_are_none(stack: Stack) -> None:
    collection = await stack.create()
    problem = await stack.problem(
        Search(collection=collection, query=Query(text="cat"), exclude=Exclude(groups=["v1"]))
    )
    assert (problem.status, problem.field) == (422, "exclude.groups")


@pytest.mark.parametrize(
    "query", [Query(item=5), Query(positive=[5]), Query(text="cat", negative=[5]), Query(positive=[5, 6], item=7)]
)
async def test_an_unknown_item_is_not_found(stack: Stack, filled: str, query: Query) -> None:
    problem = await stack.problem(Search(collection=filled, query=query))
    assert (problem.type, problem.status, problem.field) == ("item-not-found", 404, "query")


async def test_another_tenants_collection_does_not_exist(stack: Stack, filled: str) -> None:
    foreign = await stack.problem(Search(collection=filled, query=Query(text="cat")), tenant="t2")
    unknown = await stack.problem(Search(collection=fresh_name(), query=Query(text="cat")))
    assert foreign.type == unknown.type == "collection-not-found"


async def test_two_tenants_collections_of_one_name_are_two(stack: Stack) -> None:
    name = await stack.create(tenant="t")
    await stack.create(tenant="t2", name=name)
    await stack.ingest(name, [stack.file("mine.png")])
    there = await stack.answer(Search(collection=name, query=Query(text="cat")), tenant="t2")
    assert there["hits"] == []


async def test_a_collection_of_another_model_is_a_conflict(stack: Stack, filled: str, tmp_path: Path) -> None:
    other = load_encoder(Settings(model=f"local-dir:{save_model(tmp_path / 'other', seed=1)}", device="cpu"))
    job = Search(collection=filled, query=Query(text="cat"))
    call = Call(job_id="j", tenant="t", attempt=1, due_ms=now_ms(), queued_ms=0.0)
    with pytest.raises(ModelMismatch) as refused:
        await search(job, call, replace(stack.parts, encoder=other))
    assert refused.value.field == "collection"
    assert other.info.fingerprint in refused.value.detail


def names_in(value: Any) -> set[str]:
    if isinstance(value, dict):
        return {*value, *(name for inner in value.values() for name in names_in(inner))}
    return {name for inner in value for name in names_in(inner)} if isinstance(value, list) else set()


@pytest.mark.parametrize("more", [{}, {"payload": False}, {"group_by": "video"}, {"group_by": "_clipline"}])
async def test_what_is_ours_in_a_payload_never_leaks(stack: Stack, filled: str, more: dict[str, Any]) -> None:
    answer = await stack.answer(Search(collection=filled, query=Query(text="cat"), **more))
    assert "_clipline" not in names_in(answer)


async def test_without_payload_hits_have_none(stack: Stack, filled: str) -> None:
    for more in ({}, {"group_by": "video"}):
        result = await stack.search(filled, Query(text="cat"), payload=False, **more)
        hits = result.hits or [hit for group in result.groups or [] for hit in group.hits]
        assert len(hits) > 5
        assert all(hit.payload is None for hit in hits)


async def test_a_text_that_the_model_cut_is_told(stack: Stack, filled: str) -> None:
    long = await stack.search(filled, Query(text="cat " * 100))
    short = await stack.search(filled, Query(text="cat"))
    assert (long.truncated, short.truncated) == (True, False)


@pytest.mark.parametrize("image", [b"x", b"\x89PNG\r\n\x1a\n", b"\0", b"GIF89a" + b"\0" * 20])
async def test_a_picture_that_is_none_is_told_by_its_field(stack: Stack, filled: str, image: bytes) -> None:
    problem = await stack.problem(Search(collection=filled, query=Query(image=image)))
    assert (problem.type, problem.status, problem.field) == ("bad-picture", 422, "query.image")


async def test_an_empty_collection_is_exhausted(stack: Stack) -> None:
    collection = await stack.create(group_field="video")
    assert await stack.search(collection, Query(text="cat")) is not None
    for more in ({}, {"group_by": "video"}):
        result = await stack.search(collection, Query(text="cat"), **more)
        assert (result.hits or [], result.groups or [], result.exhausted) == ([], [], True)


@pytest.mark.parametrize("key", ["a..b", "a[", '"'])
async def test_a_filter_that_no_store_can_apply_is_invalid(stack: Stack, filled: str, key: str) -> None:
    where = Filter(must=[Condition(key=key, match="x")])
    problem = await stack.problem(Search(collection=filled, query=Query(text="cat"), filter=where))
    assert (problem.status, problem.field) == (422, "filter.must[0].key")


async def test_a_search_whose_deadline_passed_runs_when_it_is_asked_again(stack: Stack) -> None:
    name = fresh_name()
    failed = await stack.run(Search(collection=name, query=Query(text="cat"), deadline_ms=2_000))
    assert failed.error is not None
    assert failed.error.type == "collection-not-found"
    await stack.answer(CollectionTask(op="create", collection=name))
    # As if it had been accepted long ago.
    sent_ms = now_ms()
    await eventually(lambda: now_ms() > sent_ms + 2_000)
    await stack.queue.retry("t", failed.id)
    again = await stack.queue.wait("t", failed.id, timeout_s=30)
    assert (again.state, again.error) == ("succeeded", None)
