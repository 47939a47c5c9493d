"""What a file holds, in one number."""

import hashlib
from pathlib import Path

READ_BYTES = 2**20


def content_hash(path: Path) -> str:
    """SHA-256 of the bytes in hex, as the workers compute it. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(READ_BYTES):
            digest.update(block)
    return digest.hexdigest()
