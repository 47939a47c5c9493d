"""Sends files to a collection, a few jobs at a time: by reference where the workers see them, else uploaded.

Everything may be repeated: a source with known content adds nothing, so a lost answer costs time only.
"""

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby, islice
from pathlib import Path
from typing import Any, Literal

import msgspec

from cli.content import content_hash
from cli.failures import Failure
from cli.remote import told
from cli.tally import Tally
from cli.walk import Left, Picture
from client import calls, uploads
from client.calls import Call
from client.http import Http
from client.problems import failed
from client.uploads import Upload
from shared.errors import (
    BadRequest,
    CliplineError,
    CollectionNotFound,
    Forbidden,
    Invalid,
    JobNotFound,
    ModelMismatch,
    NotVisible,
    TooLarge,
    Unauthorized,
)
from shared.jobs import IngestResult

Mode = Literal["auto", "reference", "upload"]

BATCH = 128
MAX_PAYLOAD_BYTES = 2**20
IN_FLIGHT = 3
# A batch may wait in a long queue; a lost worker's jobs are repeated within seconds.
JOB_S = 3_600.0
# A long video is read for hours.
VIDEO_JOB_S = 86_400.0
TRIES = 2
# The next batch would fail for the same reason.
HOPELESS = (CollectionNotFound, ModelMismatch, Unauthorized, Forbidden)
REFUSED_CONTENT = (TooLarge, Invalid, BadRequest)


class Abandoned(Failure):
    """A batch whose job failed for good; the others go on."""


class Indexing:
    """One run over many pictures; `advance` is told of every picture that is done."""

    def __init__(
        self,
        http: Http,
        tally: Tally,
        *,
        mode: Mode,
        local: bool,
        advance: Callable[[int], None],
        video_step_s: float | None = None,
    ) -> None:
        self._http, self._tally = http, tally
        self._video_step_s = video_step_s
        self._mode, self._local = mode, local
        # Who insists on references wants no file to be sent.
        self._may_upload = mode != "reference"
        self._advance = advance

    async def run(self, pictures: Sequence[Picture]) -> None:
        """Raises CliplineError for what no batch would survive, and when the server stays away."""
        waiting = batches(pictures)
        while self._mode == "auto" and (batch := next(waiting, None)):
            await self._try_reference(batch)
        async with asyncio.TaskGroup() as group:
            for _ in range(IN_FLIGHT):
                group.create_task(self._work(waiting))

    async def _work(self, waiting: Iterator[list[Picture]]) -> None:
        for batch in waiting:
            if self._mode == "upload":
                await self._upload(batch)
            elif result := await self._refer(batch, _references(batch)):
                await self._settle(batch, result)

    async def _try_reference(self, batch: Sequence[Picture]) -> None:
        """Find out with a real batch whether the workers see our files."""
        result = await self._refer(batch, _references(batch))
        if result is None:
            return
        refused = {row.source for row in (*result.skipped, *result.failed)}
        stored = [picture for picture in batch if picture.source not in refused]
        if stored and not (self._local or await self._is_same(stored[0])):
            # Another machine has other pictures at the same paths: ours replace what was just read there.
            self._mode = "upload"
            await self._upload(batch)
            return
        if stored:
            self._mode = "reference"
        elif len(_unseen(result)) == len(batch):
            self._mode = "upload"
        await self._settle(batch, result)

    async def _is_same(self, picture: Picture) -> bool:
        """Whether what the workers read under our path has the content that we read."""
        file = await self._hashed(picture)
        result = await self._refer([picture], [file]) if file is not None else None
        return result is not None and not result.wanted

    async def _settle(self, batch: Sequence[Picture], result: IngestResult) -> None:
        """Count a job by reference; what only we can read is uploaded."""
        unseen = _unseen(result) if self._may_upload else frozenset()
        ours = [picture for picture in batch if picture.source in unseen and os.access(picture.path, os.R_OK)]
        self._tally.add(result, _paths(batch), again=[picture.source for picture in ours])
        self._advance(len(batch) - len(ours))
        if ours:
            await self._upload(ours)

    async def _upload(self, batch: Sequence[Picture]) -> None:
        """Ask by hash what the collection lacks, then send only that."""
        hashed = await asyncio.gather(*(self._hashed(picture) for picture in batch))
        files = [file for file in hashed if file is not None]
        self._advance(len(batch) - len(files))
        known = {file["source"] for file in files}
        readable = [picture for picture in batch if picture.source in known]
        result = await self._refer(readable, files) if files else None
        if result is None:
            return
        wanted = frozenset(result.wanted)
        self._tally.add(result, {})
        self._advance(len(readable) - len(wanted))
        sent = [picture for picture in readable if picture.source in wanted]
        for group in uploads.by_size(sent, _size_bytes):
            await self._upload_group(group)

    async def _upload_group(self, group: Sequence[Picture]) -> None:
        """One file that is refused must not keep the others out: halve until it stands alone."""
        try:
            body = await uploads.read([Upload(one.source, one.path, one.payload) for one in group])
            result = await self._result(group, calls.upload(self._tally.collection, body, self._video_step_s))
        except (*REFUSED_CONTENT, OSError) as error:
            await self._upload_halves(group, error)
            return
        if result is not None:
            self._tally.add(result, _paths(group))
            self._advance(len(group))

    async def _upload_halves(self, group: Sequence[Picture], error: CliplineError | OSError) -> None:
        if len(group) == 1:
            rows = self._tally.failed if isinstance(error, OSError) else self._tally.skipped
            rows.append(Left(path=str(group[0].path), reason=_reason(error)))
            self._advance(1)
            return
        middle = len(group) // 2
        await self._upload_group(group[:middle])
        await self._upload_group(group[middle:])

    async def _hashed(self, picture: Picture) -> dict[str, Any] | None:
        """How to ask about a picture; None when it cannot be read, which is counted."""
        try:
            digest = await asyncio.to_thread(content_hash, picture.path)
        except OSError as error:
            self._tally.failed.append(Left(path=str(picture.path), reason=_reason(error)))
            return None
        return _without_none({"source": picture.source, "hash": digest, "payload": picture.payload})

    async def _refer(self, batch: Sequence[Picture], files: list[dict[str, Any]]) -> IngestResult | None:
        return await self._result(batch, calls.ingest(self._tally.collection, files, self._video_step_s))

    async def _result(self, batch: Sequence[Picture], call: Call) -> IngestResult | None:
        """The result of a job over `batch`; None when it failed for good, which is counted."""
        try:
            return await self._job(call, VIDEO_JOB_S if any(one.is_video for one in batch) else JOB_S)
        except Abandoned as error:
            self._tally.failed += [Left(path=str(picture.path), reason=str(error)) for picture in batch]
            self._advance(len(batch))
            return None

    async def _job(self, call: Call, timeout_s: float) -> IngestResult:
        """Submit and wait, twice if need be. Raises Abandoned, CliplineError."""
        why: CliplineError = JobNotFound()
        for _ in range(TRIES):
            try:
                job = await self._http.ended(call, timeout_s=timeout_s)
            except JobNotFound as error:
                why = error
                continue
            reason = failed(job)
            if reason is None:
                return msgspec.convert(job.result or {}, IngestResult)
            if isinstance(reason, HOPELESS):
                raise reason
            why = reason
            if not why.retryable:
                break
        raise Abandoned(told(why))


def batches(pictures: Sequence[Picture]) -> Iterator[list[Picture]]:
    """At most BATCH pictures, fewer where their payloads are large; a video alone: it may take hours."""
    for video, run in groupby(pictures, key=lambda one: one.is_video):
        size = 1 if video else BATCH
        while chunk := list(islice(run, size)):
            yield from _halved(chunk)


def _halved(chunk: list[Picture]) -> Iterator[list[Picture]]:
    size = len(msgspec.json.encode([picture.payload for picture in chunk]))
    if size <= MAX_PAYLOAD_BYTES or len(chunk) == 1:
        yield chunk
        return
    middle = len(chunk) // 2
    yield from _halved(chunk[:middle])
    yield from _halved(chunk[middle:])


def _references(batch: Sequence[Picture]) -> list[dict[str, Any]]:
    return [_without_none({"source": one.source, "path": str(one.path), "payload": one.payload}) for one in batch]


def _without_none(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _unseen(result: IngestResult) -> frozenset[str]:
    return frozenset(row.source for row in result.failed if row.type == NotVisible.slug)


def _paths(batch: Sequence[Picture]) -> dict[str, Path]:
    return {picture.source: picture.path for picture in batch}


def _reason(error: CliplineError | OSError) -> str:
    return f"cannot be read: {error.strerror}" if isinstance(error, OSError) else told(error)


def _size_bytes(picture: Picture) -> int:
    """A file that went away is found out when it is read."""
    return picture.path.stat().st_size if picture.path.exists() else 0
