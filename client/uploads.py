"""Upload bodies: pictures under their sources, and a payload for each."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import msgspec

from shared.jobs import Payload

MAX_FILES = 128
# Well below the 64 MiB that a request may have; several requests may be under way at once.
MAX_BYTES = 24 * 2**20

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Upload:
    """One picture: its bytes, or the file that has them, under the name that becomes the item's source."""

    source: str
    data: bytes | Path
    payload: Payload | None = None

    @property
    def size_bytes(self) -> int:
        return len(self.data) if isinstance(self.data, bytes) else self.data.stat().st_size

    def read(self) -> bytes:
        return self.data if isinstance(self.data, bytes) else self.data.read_bytes()


def upload_of(picture: Upload | Path) -> Upload:
    """A file alone is known by its name."""
    return picture if isinstance(picture, Upload) else Upload(source=picture.name, data=picture)


@dataclass(frozen=True, slots=True)
class Body:
    content: bytes
    content_type: str


async def read(uploads: Sequence[Upload]) -> Body:
    """Off the event loop: the files may be large."""
    return await asyncio.to_thread(body, uploads)


def body(uploads: Sequence[Upload]) -> Body:
    """One multipart body. Raises OSError for a file that went away."""
    boundary = uuid4().hex
    parts = [_part(boundary, "payload", msgspec.json.encode([upload.payload for upload in uploads]))]
    parts += [_part(boundary, "files", upload.read(), filename=upload.source) for upload in uploads]
    content = b"".join([*parts, f"--{boundary}--\r\n".encode()])
    return Body(content, f"multipart/form-data; boundary={boundary}")


def _part(boundary: str, name: str, data: bytes, *, filename: str | None = None) -> bytes:
    disposition = f'form-data; name="{name}"'
    if filename is not None:
        # Escaped, not percent-encoded as browsers do: the name is the item's source and must arrive as it is.
        quoted = filename.replace("\\", "\\\\").replace('"', '\\"')
        disposition += f'; filename="{quoted}"'
    head = f"--{boundary}\r\nContent-Disposition: {disposition}\r\n\r\n"
    return head.encode() + data + b"\r\n"


def by_size(items: Iterable[Item], size_bytes: Callable[[Item], int]) -> Iterator[list[Item]]:
    """Groups of at most MAX_FILES and about MAX_BYTES; a larger item has a group of its own."""
    group: list[Item] = []
    total = 0
    for item in items:
        size = size_bytes(item)
        if group and (len(group) == MAX_FILES or total + size > MAX_BYTES):
            yield group
            group, total = [], 0
        group.append(item)
        total += size
    if group:
        yield group
