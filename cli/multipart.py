"""Upload bodies: files under their sources, and a payload for each."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec

from cli.walk import Picture

MAX_FILES = 128
# Well below the 64 MiB that a request may have; several requests are under way at once.
MAX_BYTES = 24 * 2**20
READ_BYTES = 2**20


def body(pictures: Sequence[Picture]) -> dict[str, Any]:
    """httpx's arguments for one upload. Raises OSError for a file that went away."""
    boundary = uuid4().hex
    parts = [_part(boundary, "payload", msgspec.json.encode([picture.payload for picture in pictures]))]
    parts += [_part(boundary, "files", picture.path.read_bytes(), filename=picture.source) for picture in pictures]
    content = b"".join([*parts, f"--{boundary}--\r\n".encode()])
    return {"content": content, "headers": {"Content-Type": f"multipart/form-data; boundary={boundary}"}}


def _part(boundary: str, name: str, data: bytes, *, filename: str | None = None) -> bytes:
    disposition = f'form-data; name="{name}"'
    if filename is not None:
        # Escaped, not percent-encoded as browsers do: the name is the item's source and must arrive as it is.
        quoted = filename.replace("\\", "\\\\").replace('"', '\\"')
        disposition += f'; filename="{quoted}"'
    head = f"--{boundary}\r\nContent-Disposition: {disposition}\r\n\r\n"
    return head.encode() + data + b"\r\n"


def by_size(pictures: Iterable[Picture]) -> Iterator[list[Picture]]:
    """Groups of at most MAX_FILES and about MAX_BYTES; a larger file has a group of its own."""
    group: list[Picture] = []
    total = 0
    for picture in pictures:
        size = picture.path.stat().st_size if picture.path.exists() else 0
        if group and (len(group) == MAX_FILES or total + size > MAX_BYTES):
            yield group
            group, total = [], 0
        group.append(picture)
        total += size
    if group:
        yield group


def content_hash(path: Path) -> str:
    """SHA-256 of the bytes in hex, as the workers compute it. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(READ_BYTES):
            digest.update(block)
    return digest.hexdigest()
