"""Where an item's pictures lie: the API serves the path that a worker wrote, computed from the id alone."""

from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Literal, get_args

Size = Literal["thumb", "full"]
SIZES: tuple[Size, ...] = get_args(Size)
# By the files' suffixes: the kind that is written, and the one of earlier versions, which is still served.
CONTENT_TYPES: Mapping[str, str] = {".jpg": "image/jpeg", ".webp": "image/webp"}
WRITTEN = ".jpg"
# Uploads on their way to the workers; no tenant can have a name that begins like this.
SPOOL = "_spool"

Kind = Literal["picture", "video"]
# What workers take for a video where its first bytes do not say; what `clipline ingest` looks for in folders.
VIDEO_SUFFIXES = frozenset({
    ".3g2", ".3gp", ".asf", ".avi", ".dv", ".f4v", ".flv", ".m2ts", ".m2v", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg",
    ".mpg", ".mts", ".mxf", ".ogv", ".qt", ".ts", ".vob", ".webm", ".wmv",
})  # fmt: skip


def is_video(name: str) -> bool:
    """By the name's end."""
    return PurePath(name).suffix.lower() in VIDEO_SUFFIXES


def collection_folder(root: Path, tenant: str, collection: str) -> Path:
    """Raises ValueError for a name that would lead out of `root`."""
    for name in (tenant, collection):
        if not name or name.startswith(".") or "/" in name or "\0" in name:
            raise ValueError(f"not the name of a folder: {name!r}")
    return root / tenant / collection


def path_of(root: Path, tenant: str, collection: str, item_id: int, size: Size, *, suffix: str = WRITTEN) -> Path:
    """`ROOT/TENANT/COLLECTION/items/XX/ID.SIZE.jpg`; XX spreads the items over 256 folders."""
    return collection_folder(root, tenant, collection) / "items" / f"{item_id % 256:02x}" / f"{item_id}.{size}{suffix}"


def paths_of(root: Path, tenant: str, collection: str, item_id: int, size: Size) -> list[Path]:
    """Where an item's picture may lie; the first that is there is the one to show."""
    return [path_of(root, tenant, collection, item_id, size, suffix=suffix) for suffix in CONTENT_TYPES]


def blob_path_of(
    root: Path, tenant: str, collection: str, content_hash: str, size: Size, *, suffix: str = WRITTEN
) -> Path:
    """`ROOT/TENANT/COLLECTION/blobs/ab/abcdef….SIZE.jpg`, shared by the items with the same content."""
    folder = collection_folder(root, tenant, collection) / "blobs" / content_hash[:2]
    return folder / f"{content_hash}.{size}{suffix}"
