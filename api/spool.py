"""Where an upload's files lie until a worker has indexed them: a folder for each upload."""

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from anyio import to_thread

from shared.errors import Unavailable
from shared.media import SPOOL

logger = logging.getLogger(__name__)

UNFINISHED = ".part"


class SpoolFile:
    """One file of an upload; what exceeds `most_bytes` is thrown away, with what came before."""

    def __init__(self, path: Path, source: str, *, most_bytes: int) -> None:
        self.path = path
        self.source = source
        self.most_bytes = most_bytes
        self.size = 0
        self._handle: BinaryIO | None = None

    @property
    def too_large(self) -> bool:
        return self.size > self.most_bytes

    def write(self, data: bytes) -> None:
        """Blocks; called in a thread."""
        if self._handle is None:
            self._handle = self.path.open("wb")
        if not self.too_large:
            self._handle.write(data)

    def finish(self) -> None:
        """Blocks; called in a thread. An empty file is written too: its worker says what is wrong with it."""
        self.write(b"")
        self.close()
        if self.too_large:
            self.path.unlink()

    def close(self) -> None:
        if self._handle is not None:
            self._handle.close()


Step = tuple[SpoolFile, bytes | None]


class Spool:
    """The folder gets its final name when the upload is complete, so that nobody sees half of one."""

    def __init__(self, media: Path, tenant: str) -> None:
        self.name = f"{tenant}/{uuid4().hex}"
        self.folder = media / SPOOL / self.name
        self.unfinished = self.folder.with_name(self.folder.name + UNFINISHED)

    async def create(self) -> None:
        with _disk_errors():
            await to_thread.run_sync(lambda: self.unfinished.mkdir(parents=True))

    async def run(self, steps: list[Step]) -> None:
        """Write pieces of files, None being a file's end. Raises Unavailable when the disk does not take them."""
        with _disk_errors():
            await to_thread.run_sync(_run, steps)

    async def complete(self) -> None:
        with _disk_errors():
            await to_thread.run_sync(self.unfinished.rename, self.folder)

    async def remove(self) -> None:
        for folder in (self.unfinished, self.folder):
            await to_thread.run_sync(partial(shutil.rmtree, folder, ignore_errors=True))


def _run(steps: list[Step]) -> None:
    for file, data in steps:
        if data is None:
            file.finish()
        else:
            file.write(data)


@contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        logger.error("the spool cannot be written: %s", error)
        raise Unavailable("uploads cannot be stored right now", retry_after_s=10) from error
