"""Indexing videos: every shot is an item that knows its moment, and running again changes nothing but what changed."""

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared import media
from shared.jobs import File, Ingest, IngestResult, Item, Query
from shared.media import path_of
from shared.stages import Note
from tests.workers.ingest.clips import scenes, write_clip, write_sound
from tests.workers.tasks.stack import Stack
from workers.ingest.video import SHOTS_AT_ONCE
from workers.stores.protocol import Point
from workers.tasks import videos
from workers.tasks.call import Call
from workers.tasks.ingest import ingest
from workers.tasks.names import INTERNAL, frame_source, item_id

pytestmark = pytest.mark.anyio

LENGTHS = [1.2, 2.0, 0.8]


def clip(stack: Stack, name: str, lengths: list[float] | None = None, *, first: int = 0, **more: Any) -> File:
    path = write_clip(stack.folder / name, scenes(lengths or LENGTHS, first=first))
    return File(source=name, path=str(path), **more)


async def row(stack: Stack, collection: str, source: str, count: int) -> list[Item]:
    """A video's items in order."""
    return await stack.items(collection, [item_id(frame_source(source, position)) for position in range(count)])


def figures(result: IngestResult) -> dict[str, Any]:
    """All but what is nothing."""
    names = ("added", "updated", "unchanged", "frames", "skipped", "failed", "partial", "wanted", "count")
    return {name: value for name in names if (value := getattr(result, name))}


async def test_each_shot_is_an_item_with_its_moment_and_pictures(stack: Stack) -> None:
    collection = await stack.create(group_field="video")
    result = await stack.ingest(collection, [clip(stack, "a.mp4", payload={"place": "sea", "position": 99})])
    assert figures(result) == {"added": 1, "frames": 3, "count": 3}
    items = await row(stack, collection, "a.mp4", 4)
    assert len(items) == 3
    assert [item.source for item in items] == ["a.mp4#0", "a.mp4#1", "a.mp4#2"]
    for position, item in enumerate(items):
        assert item.moment is not None
        assert (item.width, item.height) == (64, 48)
        assert (item.moment.source, item.moment.position) == ("a.mp4", position)
        assert item.moment.start_s <= item.moment.moment_s <= item.moment.end_s
        moment = {name: getattr(item.moment, name) for name in ("start_s", "end_s", "moment_s", "position")}
        assert item.payload == {"place": "sea", "video": "a.mp4", **moment}
        for size in media.SIZES:
            path = path_of(stack.parts.settings.media_path, "t", collection, item.id, size)
            assert path.read_bytes().startswith(b"\xff\xd8")
    assert [item.moment.start_s for item in items if item.moment] == pytest.approx([0.0, 1.2, 3.2], abs=0.01)
    found = await stack.search(collection, Query(item=items[0].id), group_by="video", limit=1)
    assert [group.group for group in found.groups or []] == ["a.mp4"]


async def test_the_same_video_again_adds_nothing_and_is_not_decoded(stack: Stack) -> None:
    collection = await stack.create(group_field="video")
    file = clip(stack, "a.mp4", payload={"place": "sea"})
    await stack.ingest(collection, [file])
    before, encoded = await row(stack, collection, "a.mp4", 3), stack.parts.batcher.stats().items
    again = await stack.ingest(collection, [file, File(source="a.mp4", path=file.path)])
    assert figures(again) == {"unchanged": 2, "count": 3}
    known = await stack.ingest(collection, [File(source="a.mp4", hash=before[0].hash, payload={"place": "sea"})])
    assert figures(known) == {"unchanged": 1, "count": 3}
    assert await row(stack, collection, "a.mp4", 3) == before
    assert stack.parts.batcher.stats().items == encoded
    other = await stack.ingest(collection, [File(source="b.mp4", hash="0" * 64)])
    assert figures(other) == {"wanted": ["b.mp4"], "count": 3}


async def test_another_payload_alone_is_written_to_all_items(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(videos, "ROW", 2)
    collection = await stack.create(group_field="video")
    file = clip(stack, "a.mp4", payload={"place": "sea"})
    await stack.ingest(collection, [file])
    encoded = stack.parts.batcher.stats().items
    changed = File(source="a.mp4", path=file.path, payload={"place": "lake", "video": 17})
    assert figures(await stack.ingest(collection, [changed])) == {"updated": 1, "count": 3}
    items = await row(stack, collection, "a.mp4", 3)
    assert [(item.payload["place"], item.payload["video"], item.payload["position"]) for item in items] == [
        ("lake", 17, position) for position in range(3)
    ]
    assert all(item.moment is not None and item.moment.source == "a.mp4" for item in items)
    assert figures(await stack.ingest(collection, [changed])) == {"unchanged": 1, "count": 3}
    assert figures(await stack.ingest(collection, [file])) == {"updated": 1, "count": 3}
    assert stack.parts.batcher.stats().items == encoded


@pytest.mark.parametrize("lengths", [[1.0], [1.0, 1.5, 1.2, 0.9, 1.4, 2.0]])
async def test_a_changed_video_takes_the_place_of_the_old_one(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, lengths: list[float]
) -> None:
    monkeypatch.setattr(videos, "ROW", 2)
    collection = await stack.create(group_field="video")
    await stack.ingest(collection, [clip(stack, "a.mp4", [1.0] * 5, payload={"place": "sea"}), clip(stack, "b.mp4")])
    before = {item.source: item for item in await row(stack, collection, "a.mp4", 5)}
    result = await stack.ingest(collection, [clip(stack, "a.mp4", lengths, first=50)])
    assert figures(result) == {"added": 1, "frames": len(lengths), "count": len(lengths) + 3}
    items = await row(stack, collection, "a.mp4", 10)
    assert len(items) == len(lengths)
    assert {item.payload["place"] for item in items} == {"sea"}
    assert not {item.hash for item in items} & {item.hash for item in before.values()}
    root = stack.parts.settings.media_path
    for source, item in before.items():
        thumb = path_of(root, "t", collection, item.id, "thumb")
        assert thumb.exists() == (source in {one.source for one in items})
    blobs = media.collection_folder(root, "t", collection) / "blobs"
    assert sum(1 for _ in blobs.glob("*/*.thumb.jpg")) == len(lengths) + 3, "nothing of the old one is left"


async def test_other_steps_are_another_form_of_the_same_video(stack: Stack) -> None:
    collection = await stack.create(group_field="video")
    file = clip(stack, "a.mp4")
    assert (await stack.ingest(collection, [file])).frames == 3
    assert figures(await stack.ingest(collection, [file], video_step_s=1.0)) == {"added": 1, "frames": 4, "count": 4}
    assert figures(await stack.ingest(collection, [file], video_step_s=1.0)) == {"unchanged": 1, "count": 4}
    items = await row(stack, collection, "a.mp4", 4)
    assert [item.moment.start_s for item in items if item.moment] == pytest.approx([0, 1, 2, 3])
    assert figures(await stack.ingest(collection, [file])) == {"added": 1, "frames": 3, "count": 3}


class Killed(Exception):
    """Where a worker could end."""


@pytest.mark.parametrize("after", range(5))
async def test_ended_anywhere_it_is_completed_by_the_next_run(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """`after` so many calls that change the store; the next run encodes only what is missing."""
    monkeypatch.setattr(videos, "ROW", SHOTS_AT_ONCE)
    shots = 2 * SHOTS_AT_ONCE + 4
    collection = await stack.create(group_field="video")
    await stack.ingest(collection, [clip(stack, "a.mp4", [1.0] * (shots + SHOTS_AT_ONCE), first=100)])
    job = Ingest(collection=collection, files=[clip(stack, "a.mp4", [1.0] * shots)])
    store, left = stack.parts.store, [after]

    def ending(name: str) -> Any:
        real = getattr(type(store), name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            if left[0] == 0:
                raise Killed
            left[0] -= 1
            return await real(store, *args, **kwargs)

        return call

    with monkeypatch.context() as patch:
        for name in ("upsert", "delete", "set_payloads"):
            patch.setattr(store, name, ending(name), raising=True)
        call = Call(job_id="killed", tenant="t", attempt=1, due_ms=0, queued_ms=0)
        with pytest.raises(Killed):
            await ingest(job, call, stack.parts)
    result = await stack.ingest(collection, job.files)
    assert (result.added, result.count, result.unchanged) == (1, shots, 0)
    assert result.frames == shots - min(after * SHOTS_AT_ONCE, shots)
    sources = [item.source for item in await row(stack, collection, "a.mp4", 2 * shots)]
    assert sources == [f"a.mp4#{n}" for n in range(shots)]
    assert figures(await stack.ingest(collection, job.files)) == {"unchanged": 1, "count": shots}


async def test_what_cannot_be_read_is_told_and_the_others_go_on(stack: Stack) -> None:
    collection = await stack.create()
    folder = stack.folder
    good = clip(stack, "good.mkv", [2.0] * 6)
    data = (folder / "good.mkv").read_bytes()
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "text.mov").write_text("no film")
    (folder / "cut.mkv").write_bytes(data[: len(data) // 2])
    (folder / "named.jpg").write_bytes(data)
    write_sound(folder / "sound.mp4")
    stack.picture("picture.png").rename(folder / "picture.mp4")
    names = ["empty.mp4", "text.mov", "cut.mkv", "named.jpg", "sound.mp4", "picture.mp4", "gone.mp4"]
    files = [File(source=name, path=str(folder / name)) for name in names]
    result = await stack.ingest(collection, [*files, good, stack.file("p.png")])
    assert result.added == 5, "what a file holds counts, not how it is called"
    assert {one.source: one.reason for one in result.skipped} == {
        "empty.mp4": "empty file",
        "text.mov": "damaged, cut off or no video: Invalid data found when processing input",
        "sound.mp4": "no video stream, only sound",
    }
    assert {one.type for one in result.skipped} == {"bad-video"}
    assert [(one.source, one.type) for one in result.failed] == [("gone.mp4", "not-visible")]
    assert [one.source for one in result.partial] == ["cut.mkv"]
    assert result.partial[0].reason.startswith("ends after ")
    items = await stack.all_items(collection)
    assert len(items) == result.count
    assert items["picture.mp4"].moment is None


async def test_a_video_tells_how_many_seconds_are_read_and_its_time_begins_anew(stack: Stack) -> None:
    collection = await stack.create()
    file = clip(stack, "a.mp4", [1.0] * 40)
    further: list[None] = []
    told: list[Note] = []
    call = Call(job_id="told", tenant="t", attempt=1, due_ms=0, queued_ms=0, got_further=lambda: further.append(None))
    looking = asyncio.create_task(_look(stack, told))
    await ingest(Ingest(collection=collection, files=[file]), call, stack.parts)
    looking.cancel()
    stack.parts.stages.leave("told")
    seconds = [(note.done, note.total) for note in told if note.stage == "video"]
    assert seconds[-1] == (40, 40)
    assert len(seconds) >= 3
    assert len(further) >= 3


async def _look(stack: Stack, told: list[Note]) -> None:
    while True:
        told.extend(stack.parts.stages.changes())
        await asyncio.sleep(0)


def open_files() -> set[str]:
    return {str(fd.resolve()) for fd in Path("/proc/self/fd").iterdir() if fd.exists()}


async def test_a_cancelled_ingest_lets_go_of_its_file(stack: Stack) -> None:
    collection = await stack.create()
    file = clip(stack, "a.mp4", [1.0] * 60)
    job = Ingest(collection=collection, files=[file])
    call = Call(job_id="stopped", tenant="t", attempt=1, due_ms=0, queued_ms=0)
    running = asyncio.create_task(ingest(job, call, stack.parts))
    while not running.done():
        await asyncio.sleep(0)
        if any(note.stage == "video" for note in stack.parts.stages.changes()):
            running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    stack.parts.stages.leave("stopped")
    assert str(file.path) not in open_files()
    assert (await stack.ingest(collection, [file])).count == 60


async def test_an_id_that_another_source_has_is_left_to_it(stack: Stack) -> None:
    collection = await stack.create()
    taken = item_id(frame_source("a.mp4", 1))
    vector = np.zeros(stack.parts.encoder.info.dim, np.float32)
    vector[0] = 1
    other = {INTERNAL: {"source": "other", "hash": "0" * 64}}
    await stack.parts.store.upsert(f"t.{collection}", [Point(id=taken, vector=vector.tobytes(), payload=other)])
    file = clip(stack, "a.mp4")
    for expected in ({"added": 1, "frames": 3, "count": 4}, {"unchanged": 1, "count": 4}):
        assert figures(await stack.ingest(collection, [file])) == expected
    assert figures(await stack.ingest(collection, [clip(stack, "a.mp4", [1.0])])) == {
        "added": 1,
        "frames": 1,
        "count": 2,
    }
    assert [item.source for item in await stack.items(collection, [taken])] == ["other"]
