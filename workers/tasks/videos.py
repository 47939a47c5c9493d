"""Videos of an ingest job: each becomes a row of items, one for each shot or step.

The items of a video have the sources `VIDEO#0`, `VIDEO#1` …, written in this order; when all are there and older ones
beyond them are gone, the first is marked with their number. A video without that mark, as after a worker's death, is
read again, and only what is missing is encoded.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from shared.jobs import File, Ingest, Payload, Skipped
from workers.encoders.protocol import Pixels
from workers.ingest.moments import Shot
from workers.ingest.sources import ContentHash, Place, Readable
from workers.ingest.video import VideoReader
from workers.parts import Parts
from workers.stores.protocol import Point
from workers.tasks.call import Call
from workers.tasks.names import INTERNAL, frame_source, public
from workers.tasks.payloads import same_json
from workers.tasks.tally import REFUSALS, Tally
from workers.tasks.target import Target

# Changes whenever the same video would give other items.
RECIPE = "1"
# Items of a video that are looked up together.
ROW = 256
GROUP = "video"
NOTHING: Pixels = np.zeros((0, 0, 3), dtype=np.uint8)
TIMES = frozenset({"start_s", "end_s", "moment_s", "position"})


class _Video(msgspec.Struct, frozen=True, kw_only=True):
    """A video, what it holds and how it is cut; `given` is what its items' payloads have in common."""

    file: File
    hash: str
    recipe: str
    given: Payload

    def payload(self, shot: Shot, *, frames: int | None = None) -> Payload:
        """`frames` marks the first item of a video that is complete."""
        ours = {
            "source": frame_source(self.file.source, shot.position),
            "hash": self.hash,
            "width": shot.width,
            "height": shot.height,
            "video": {"source": self.file.source, "recipe": self.recipe} | ({"frames": frames} if frames else {}),
        }
        times = {name: round(getattr(shot, name), 3) for name in ("start_s", "end_s", "moment_s")}
        return {**self.given, **times, "position": shot.position, INTERNAL: ours}


class Videos:
    """The videos of one job; what becomes of them is told to `tally`."""

    def __init__(self, job: Ingest, call: Call, parts: Parts, tally: Tally, target: Target, may_read: Readable) -> None:
        self.job, self.call, self.parts, self.tally, self.target = job, call, parts, tally, target
        self._may_read = may_read
        self.step_s = parts.settings.video_step_s if job.video_step_s is None else job.video_step_s

    async def index(self, file: File) -> None:
        try:
            await self._index(file)
        except REFUSALS as error:
            self.tally.refuse(file, error)

    async def _index(self, file: File) -> None:
        hash_ = file.hash if file.path is None else await self._hash(file)
        async with self.target.writing():
            first = (await self._places(file.source, range(1)))[0]
        before = public(first.point.payload) if first.point is not None else None
        video = _Video(
            file=file,
            hash=hash_ or "",
            recipe=f"{RECIPE}:{self.step_s:g}",
            given=_given(file, before),
        )
        if frames := _frames_of(video, first):
            await self._refresh(video, before or {}, frames)
        elif file.path is None:
            self.tally.wanted.append(file.source)
        else:
            await self._read(video)

    async def _hash(self, file: File) -> str:
        """A part at a time: a large file takes minutes."""
        path = await self._path(file)
        content = ContentHash(path, max_bytes=self.parts.settings.max_video_bytes)
        while (digest := await self.parts.decoding.run(content.more)) is None:
            self.call.got_further()
        return digest

    async def _path(self, file: File) -> Path:
        assert file.path is not None, "files known by hash alone are not read"
        return await self.parts.decoding.run(self._may_read.locate, file.path)

    async def _refresh(self, video: _Video, before: Payload, frames: int) -> None:
        """All items are there: only a payload that differs is written, the first item's last, as it is compared."""
        if same_json(video.given, _without_times(before)):
            self.tally.unchanged += 1
            return
        for start in reversed(range(0, frames, ROW)):
            async with self.target.writing():
                await self._refresh_row(video, range(start, min(start + ROW, frames)))
        self.tally.updated += 1

    async def _refresh_row(self, video: _Video, positions: Sequence[int]) -> None:
        row = await self._places(video.file.source, positions)
        points = {place.id: place.point.payload for place in reversed(row) if place.point is not None}
        changed = {one: {**video.given, **_own_part(payload)} for one, payload in points.items()}
        await self.parts.store.set_payloads(self.target.stored, changed)

    async def _read(self, video: _Video) -> None:
        settings = self.parts.settings
        path = await self._path(video.file)
        reader = VideoReader(path, max_pixels=settings.max_pixels, step_s=self.step_s)
        try:
            await self.parts.decoding.run(reader.open)
            first, frames = await self._store_all(video, reader)
            missing = reader.missing()
        finally:
            # Also when this job is cancelled: a thread may be reading just now.
            await asyncio.shield(asyncio.ensure_future(self.parts.decoding.run(reader.close)))
        async with self.target.writing():
            await self._forget_from(video.file.source, frames)
            await self._complete(video, first, frames)
        self.tally.added += 1
        if missing is not None:
            self.tally.partial.append(Skipped(source=video.file.source, reason=missing, type="bad-video"))

    async def _store_all(self, video: _Video, reader: VideoReader) -> tuple[Shot, int]:
        """The first shot, without its pixels, and how many there are."""
        first: Shot | None = None
        frames = 0
        total = round(reader.duration_s or 0) or None
        while True:
            piece = await self.parts.decoding.run(reader.read)
            self.parts.stages.enter(self.call.job_id, "video", done=round(piece.read_s), total=total)
            if piece.shots:
                async with self.target.writing():
                    await self._store(video, piece.shots)
                first = first or msgspec.structs.replace(piece.shots[0], pixels=NOTHING)
                frames += len(piece.shots)
            self.call.got_further()
            if piece.last:
                assert first is not None, "a video without a frame was refused"
                return first, frames

    async def _store(self, video: _Video, shots: Sequence[Shot]) -> None:
        """Those that are not there yet."""
        where = await self._places(video.file.source, [shot.position for shot in shots])
        new = [(shot, place) for shot, place in zip(shots, where, strict=True) if not _is_there(video, shot, place)]
        points = await asyncio.gather(*(self._point(video, shot, place.id) for shot, place in new))
        if points:
            await self.parts.store.upsert(self.target.stored, points)
        self.tally.frames += len(points)

    async def _point(self, video: _Video, shot: Shot, item_id: int) -> Point:
        ready = await self.parts.decoding.run(self._prepare, video, shot, item_id)
        embedded = await self.parts.batcher.image(ready, lane="bulk")
        return Point(id=item_id, vector=embedded.vector.tobytes(), payload=video.payload(shot))

    def _prepare(self, video: _Video, shot: Shot, item_id: int) -> Pixels:
        """Runs on a decoding thread: write thumbnails, bring to the model's size."""
        shown = hashlib.sha256(f"{video.hash} {shot.moment_s!r}".encode()).hexdigest()
        self.parts.media.store(self.call.tenant, self.job.collection, item_id, shown, shot.pixels)
        return self.parts.encoder.preprocess(shot.pixels)

    async def _forget_from(self, source: str, position: int) -> None:
        """Remove the items of an earlier, longer form of the video; from the end, so that no gap hides the rest."""
        rows: list[list[int]] = []
        while True:
            start = position + ROW * len(rows)
            found = await self._places(source, range(start, start + ROW))
            rows.append([place.id for place in found if place.point is not None])
            if len(rows[-1]) < ROW:
                break
        for row in filter(None, reversed(rows)):
            await self.parts.store.delete(self.target.stored, row)
            await self.parts.decoding.run(self._forget_media, row)

    def _forget_media(self, ids: Sequence[int]) -> None:
        for one in ids:
            self.parts.media.remove(self.call.tenant, self.job.collection, one)

    async def _complete(self, video: _Video, first: Shot, frames: int) -> None:
        [place] = await self._places(video.file.source, range(1))
        await self.parts.store.set_payloads(self.target.stored, {place.id: video.payload(first, frames=frames)})

    async def _places(self, source: str, positions: Sequence[int]) -> list[Place]:
        sources = [frame_source(source, position) for position in positions]
        where = await self.target.places(sources)
        return [where[one] for one in sources]


def _given(file: File, before: Payload | None) -> Payload:
    """The given payload, or the one that is there already; the group is the video, unless the payload names another."""
    given: dict[str, Any] = public(file.payload) if file.payload is not None else _without_times(before or {})  # type: ignore[assignment]
    group = given.get(GROUP)
    named = isinstance(group, str | int) and not isinstance(group, bool)
    return _without_times({**given, GROUP: group if named else file.source})


def _without_times(payload: Payload) -> Payload:
    return {name: value for name, value in payload.items() if name not in TIMES}


def _own_part(payload: Payload) -> Payload:
    return {name: value for name, value in payload.items() if name in TIMES or name == INTERNAL}


def _frames_of(video: _Video, first: Place) -> int | None:
    """How many items the video has, when it is there whole and as wanted."""
    if first.point is None or first.hash != video.hash:
        return None
    about = first.point.payload[INTERNAL].get("video", {})
    frames: int | None = about.get("frames") if about.get("recipe") == video.recipe else None
    return frames


def _is_there(video: _Video, shot: Shot, place: Place) -> bool:
    return place.point is not None and same_json(place.point.payload, video.payload(shot))
