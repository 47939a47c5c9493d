"""Which files an ingest job means, and what is already stored of them."""

import hashlib
import os
import shutil
import stat
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec

from shared.errors import NotVisible, PictureTooLarge, VideoTooLarge
from shared.media import SPOOL
from shared.settings import Settings
from workers.stores.protocol import StoredPoint, VectorStore
from workers.tasks.names import INTERNAL, item_id

READ_BYTES = 2**20
# Of a large file so many are read, then whoever waits for it is told.
BLOCKS = 512
SPOOL_KEPT_S = 86_400.0


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a source is stored, or would be: its id, and the point when there is one."""

    id: int
    point: StoredPoint | None = None

    @property
    def hash(self) -> str | None:
        return self.point.payload[INTERNAL].get("hash") if self.point is not None else None


def spool_path(settings: Settings, spool: str) -> Path:
    """The folder into which the API put an upload's files. Raises NotVisible for a name that leads out of it."""
    root = (settings.media_path / SPOOL).resolve()
    folder = _resolved(root / spool)
    if not folder.is_relative_to(root) or folder == root:
        raise NotVisible(f"no upload {spool!r}")
    return folder


class Readable(msgspec.Struct, frozen=True):
    """What an ingest job may read: what lies below `roots`. Relative paths begin at `start`."""

    start: Path
    roots: list[Path]

    def locate(self, path: str) -> Path:
        """A file's real path. Raises NotVisible for one that lies elsewhere."""
        found = _resolved(self.start / path)
        if not any(found.is_relative_to(root) for root in self.roots):
            raise NotVisible("outside the folders that CLIPLINE_INGEST_ROOTS allows the workers to read")
        return found


def readable(settings: Settings, *, spool: str | None = None) -> Readable:
    """The folder of an upload, else the allowed roots. Raises NotVisible."""
    if spool is not None:
        folder = spool_path(settings, spool)
        return Readable(folder, [folder])
    return Readable(Path(), [root.resolve() for root in settings.ingest_root_paths])


def _resolved(path: Path) -> Path:
    """Without links and `..`. Raises NotVisible for what no path can be: NUL bytes, links in a circle."""
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise NotVisible(f"not a path: {error}") from error


def content_hash(path: Path, *, max_bytes: int) -> str:
    """SHA-256 of a picture's bytes, in hex. Raises NotVisible, PictureTooLarge."""
    content = ContentHash(path, max_bytes=max_bytes, too_large=PictureTooLarge)
    while (digest := content.more()) is None:
        continue
    return digest


class ContentHash:
    """SHA-256 of a file's bytes, a part at a time. Blocks; any thread may call it."""

    def __init__(
        self, path: Path, *, max_bytes: int, too_large: type[PictureTooLarge | VideoTooLarge] = VideoTooLarge
    ) -> None:
        self._path, self._max_bytes, self._too_large = path, max_bytes, too_large
        self._digest = hashlib.sha256()
        self._read_bytes = 0

    def more(self) -> str | None:
        """The hash in hex, or None while there is more to read. Raises NotVisible, and the error for too many bytes."""
        try:
            self._check(self._path.stat())
            with self._path.open("rb") as file:
                file.seek(self._read_bytes)
                return self._read(file)
        except OSError as error:
            raise NotVisible(f"the workers cannot read it: {error.strerror}") from error

    def _check(self, status: os.stat_result) -> None:
        if not stat.S_ISREG(status.st_mode):
            raise NotVisible("not a regular file")
        if status.st_size > self._max_bytes:
            raise self._too_large(f"{status.st_size:,} bytes; at most {self._max_bytes:,}")

    def _read(self, file: BinaryIO) -> str | None:
        for _ in range(BLOCKS):
            block = file.read(READ_BYTES)
            if not block:
                return self._digest.hexdigest()
            self._digest.update(block)
            self._read_bytes += len(block)
        return None


async def places(stored: str, sources: Iterable[str], store: VectorStore) -> dict[str, Place]:
    """The place of each source. Where another source sits on a source's id, the next probe is looked at."""
    found: dict[str, Place] = {}
    waiting: Sequence[str] = list(dict.fromkeys(sources))
    probe = 0
    while waiting:
        ids = {source: item_id(source, probe) for source in waiting}
        points = await store.retrieve(stored, sorted(set(ids.values())))
        taken = {place.id: source for source, place in found.items()}
        for source, one in ids.items():
            point = points.get(one)
            owner = (
                point.payload.get(INTERNAL, {}).get("source") if point is not None else taken.setdefault(one, source)
            )
            if owner == source:
                found[source] = Place(id=one, point=point)
        waiting = [source for source in waiting if source not in found]
        probe += 1
    return found


def remove_spool(settings: Settings, spool: str) -> None:
    """The upload is indexed: its files are no longer needed."""
    shutil.rmtree(spool_path(settings, spool), ignore_errors=True)


def sweep_spool(settings: Settings) -> int:
    """Remove uploads whose job never ended well and whose body is gone by now. Returns how many."""
    before, swept = time.time() - SPOOL_KEPT_S, 0
    for folder in (settings.media_path / SPOOL).glob("*/*"):
        if folder.stat().st_mtime < before:
            shutil.rmtree(folder, ignore_errors=True)
            swept += 1
    return swept
