"""Indexing pictures: every file is counted once, and what is stored is what the files say."""

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from shared import media
from shared.jobs import File, IngestResult, Payload, Query
from tests.workers.tasks.stack import Stack
from workers.stores.protocol import Point
from workers.tasks.ingest import waves
from workers.tasks.names import INTERNAL, item_id
from workers.tasks.payloads import same_json

pytestmark = pytest.mark.anyio


few = settings(
    max_examples=10,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def counted(result: IngestResult) -> int:
    listed = len(result.skipped) + len(result.failed) + len(result.wanted)
    return result.added + result.updated + result.unchanged + listed


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


async def test_every_file_is_counted_once_by_what_became_of_it(stack: Stack) -> None:
    collection = await stack.create()
    old = [stack.file(f"old{number}.png", payload={"n": number}) for number in range(40)]
    await stack.ingest(collection, old)
    broken = stack.picture("broken.png")
    broken.write_bytes(broken.read_bytes()[:-100])
    text = stack.folder / "text.png"
    text.write_text("I am no picture")
    files = [
        *old[:20],
        *(msgspec.structs.replace(file, payload={"n": -1}) for file in old[20:25]),
        *(stack.file(f"new{number}.png") for number in range(30)),
        File(source="broken.png", path=str(broken)),
        File(source="text.png", path=str(text)),
        File(source="gone.png", path=str(stack.folder / "gone.png")),
        File(source="old25.png", hash=sha256(Path(old[25].path or ""))),
        File(source="old26.png", hash="0" * 64),
        File(source="never.png", hash="0" * 64),
    ]
    result = await stack.ingest(collection, files)
    assert (result.added, result.updated, result.unchanged, result.count) == (30, 5, 21, 70)
    assert [row.source for row in result.skipped] == ["broken.png", "text.png"]
    assert {row.type for row in result.skipped} == {"bad-picture"}
    assert [(row.source, row.type) for row in result.failed] == [("gone.png", "not-visible")]
    assert result.wanted == ["old26.png", "never.png"]
    assert counted(result) == len(files)


async def test_refused_files_are_listed_as_given_whichever_thread_was_first(stack: Stack) -> None:
    collection = await stack.create()
    names = [f"bad{number}.png" for number in range(60)]
    for number, name in enumerate(names):
        # The long ones take longer to read, so that they come last when nothing orders them.
        (stack.folder / name).write_bytes(b"no picture" * (1 if number % 2 else 200_000))
    result = await stack.ingest(collection, [File(source=name, path=str(stack.folder / name)) for name in names])
    assert [row.source for row in result.skipped] == names


async def test_an_item_knows_its_source_content_size_and_payload(stack: Stack) -> None:
    collection = await stack.create()
    file = stack.file("a.png", payload={"label": "a", "tags": ["x", "y"], "deep": {"n": 1.5}, "none": None})
    await stack.ingest(collection, [file])
    [item] = (await stack.all_items(collection)).values()
    assert (item.source, item.hash) == ("a.png", sha256(Path(file.path or "")))
    assert (item.width, item.height) == (48, 40)
    assert item.payload == file.payload


async def test_a_second_time_nothing_changes(stack: Stack) -> None:
    collection = await stack.create()
    files = [stack.file(f"s{number}.png", payload={"n": number}) for number in range(10)]
    await stack.ingest(collection, files)
    before = await stack.all_items(collection)
    encoded = stack.parts.batcher.stats().items
    again = await stack.ingest(collection, files)
    assert (again.unchanged, counted(again), again.count) == (10, 10, 10)
    assert stack.parts.batcher.stats().items == encoded
    assert await stack.all_items(collection) == before


async def test_other_content_of_the_same_source_takes_its_place(stack: Stack) -> None:
    collection = await stack.create()
    await stack.ingest(collection, [stack.file("a.png", seed=1, payload={"label": "kept"})])
    before = (await stack.all_items(collection))["a.png"]
    first = await stack.vectors(collection, [before.id])
    result = await stack.ingest(collection, [stack.file("a.png", seed=2)])
    after = (await stack.all_items(collection))["a.png"]
    assert (result.added, result.count) == (1, 1)
    assert after.id == before.id
    assert after.hash != before.hash
    assert after.payload == {"label": "kept"}
    assert not np.allclose((await stack.vectors(collection, [after.id]))[after.id], first[before.id])
    shown = await stack.search(collection, Query(image=stack.picture("a.png", seed=2).read_bytes()))
    assert shown.hits is not None
    assert shown.hits[0].score == pytest.approx(1.0, abs=1e-4)


async def test_another_payload_alone_is_written_without_encoding(stack: Stack) -> None:
    collection = await stack.create()
    file = stack.file("a.png", payload={"label": "a", "gone": 1})
    await stack.ingest(collection, [file])
    encoded = stack.parts.batcher.stats().items
    result = await stack.ingest(collection, [msgspec.structs.replace(file, payload={"label": "b"})])
    assert (result.updated, counted(result)) == (1, 1)
    assert stack.parts.batcher.stats().items == encoded
    [item] = (await stack.all_items(collection)).values()
    assert (item.payload, item.width) == ({"label": "b"}, 48)
    assert (await stack.ingest(collection, [msgspec.structs.replace(file, payload=None)])).unchanged == 1


async def test_a_payload_cannot_touch_what_is_ours(stack: Stack) -> None:
    collection = await stack.create()
    file = stack.file("a.png", payload={"label": "a", INTERNAL: {"source": "forged", "hash": "0" * 64}})
    await stack.ingest(collection, [file])
    [item] = (await stack.all_items(collection)).values()
    assert (item.source, item.payload) == ("a.png", {"label": "a"})
    assert (await stack.ingest(collection, [file])).unchanged == 1


# -- one source more than once


sources = st.lists(st.sampled_from("abc"), max_size=8)


@given(sources)
def test_rounds_hold_no_source_twice_and_keep_the_order(names: list[str]) -> None:
    files = [File(source=name, path=str(number)) for number, name in enumerate(names)]
    rounds = list(waves(files))
    for one in rounds:
        assert len({file.source for file in one}) == len(one) > 0
    for name in "abc":
        assert [file for one in rounds for file in one if file.source == name] == [
            file for file in files if file.source == name
        ]


async def test_files_of_one_source_count_as_if_they_came_one_after_the_other(stack: Stack) -> None:
    collection = await stack.create()
    first, second = stack.picture("one.png", seed=1), stack.picture("two.png", seed=2)
    files = [File(source="a", path=str(path)) for path in (first, first, second, second)]
    files += [stack.file(f"filler{number}.png") for number in range(40)]
    files += [File(source="a", path=str(second), payload={"label": "late"}), File(source="a", hash=sha256(second))]
    result = await stack.ingest(collection, files)
    assert (result.added, result.updated, result.unchanged, result.count) == (42, 1, 3, 41)
    item = (await stack.all_items(collection))["a"]
    assert (item.hash, item.payload) == (sha256(second), {"label": "late"})


async def test_two_sources_with_one_content_are_two_items_with_a_picture_each(stack: Stack) -> None:
    collection = await stack.create()
    path = str(stack.picture("same.png"))
    result = await stack.ingest(collection, [File(source=name, path=path) for name in ("a", "b")])
    assert (result.added, result.count) == (2, 2)
    one, other = (await stack.all_items(collection)).values()
    root = stack.parts.settings.media_path
    thumbs = [media.path_of(root, "t", collection, item.id, "thumb") for item in (one, other)]
    assert thumbs[0].read_bytes() == thumbs[1].read_bytes()


# -- ids


async def test_an_id_that_another_source_has_is_left_to_it(stack: Stack) -> None:
    collection = await stack.create()
    await stack.ingest(collection, [stack.file("other.png")])
    [there] = await stack.items(collection, [item_id("other.png")])
    taken = [item_id("wanted.png"), item_id("wanted.png", 1)]
    vector = (await stack.vectors(collection, [there.id]))[there.id].tobytes()
    await stack.parts.store.upsert(
        f"t.{collection}",
        [Point(id=one, vector=vector, payload={INTERNAL: {"source": f"by {one}", "hash": "0" * 64}}) for one in taken],
    )
    for added, unchanged in [(1, 0), (0, 1)]:
        result = await stack.ingest(collection, [stack.file("wanted.png", seed=3)])
        assert (result.added, result.unchanged, result.count) == (added, unchanged, 4)
    items = await stack.all_items(collection)
    assert items["wanted.png"].id == item_id("wanted.png", 2)
    assert {items[f"by {one}"].id for one in taken} == set(taken)


# -- media and payloads


async def test_every_item_has_its_pictures(stack: Stack) -> None:
    collection = await stack.create()
    await stack.ingest(collection, [stack.file(f"m{number}.png") for number in range(5)])
    for item in (await stack.all_items(collection)).values():
        for size in media.SIZES:
            path = media.path_of(stack.parts.settings.media_path, "t", collection, item.id, size)
            assert path.read_bytes().startswith(b"\xff\xd8")


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.text(st.characters(codec="utf-8"), max_size=6)
    # Sums of halves are read back to the last digit.
    | st.integers(-100, 100).map(lambda number: number / 8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=6).filter(lambda name: name != INTERNAL)


@few
@given(payloads=st.lists(st.dictionaries(names, json_values, max_size=4), min_size=1, max_size=4))
async def test_payloads_come_back_as_they_were_given(stack: Stack, payloads: list[Payload]) -> None:
    collection = await stack.create()
    files = [stack.file(f"p{number}.png", seed=number, payload=one) for number, one in enumerate(payloads)]
    await stack.ingest(collection, files)
    items = await stack.all_items(collection)
    assert [items[file.source].payload for file in files] == payloads
    assert (await stack.ingest(collection, files)).unchanged == len(files)


async def test_floats_of_many_digits_are_no_change(stack: Stack) -> None:
    collection = await stack.create()
    floats = [5.960464477539063e-08, 0.1, 1 / 3, 1e300, -2.5e-10, 123456789.123456789]
    file = stack.file("a.png", payload={"n": floats})
    await stack.ingest(collection, [file])
    assert (await stack.ingest(collection, [file])).unchanged == 1
    [item] = (await stack.all_items(collection)).values()
    assert item.payload["n"] == pytest.approx(floats, rel=1e-15)


different = [
    ({"a": 1}, {"a": True}),
    ({"a": 0}, {"a": False}),
    ({"a": 1}, {"a": "1"}),
    ({"a": [1]}, {"a": [1, 1]}),
    ({"a": None}, {}),
    ({"a": {}}, {"a": []}),
    ({"a": 1.0}, {"a": 1.000001}),
]


@pytest.mark.parametrize(("one", "other"), different)
def test_payloads_that_differ_are_told_apart(one: Payload, other: Payload) -> None:
    assert not same_json(one, other)
    assert not same_json(other, one)


@few
@given(json_values)
def test_a_payload_is_the_same_as_itself(value: Any) -> None:
    assert same_json(value, value)


async def test_an_ingest_tells_how_far_it_is(stack: Stack) -> None:
    collection = await stack.create()
    files = [stack.file(f"many{number}.png") for number in range(70)]
    stages, told = stack.parts.stages, []

    async def look() -> None:
        while True:
            told.extend(stages.changes())
            await asyncio.sleep(0)

    looking = asyncio.create_task(look())
    await stack.ingest(collection, files)
    looking.cancel()
    assert [(note.stage, note.done, note.total) for note in told if note.stage == "ingest"] == [
        ("ingest", 0, 70),
        ("ingest", 32, 70),
        ("ingest", 64, 70),
    ]
    assert stages.changes() == [], "what has ended is forgotten"
