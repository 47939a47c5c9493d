"""The pixels of a picture that is indexed already: from its original where that is unchanged, else from our copy."""

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from shared.errors import BadPicture, NotVisible
from shared.media import paths_of
from shared.settings import Settings
from workers.encoders.protocol import Pixels
from workers.ingest.decode import decode_reduced
from workers.ingest.sources import content_hash, readable
from workers.ingest.thumbnails import NEEDED_PX
from workers.stores.protocol import StoredPoint
from workers.tasks.names import INTERNAL


class Kept(msgspec.Struct, frozen=True):
    """`is_copy`: at most NEEDED_PX on its longer side, and compressed once more."""

    pixels: Pixels
    is_copy: bool


def kept_input(
    point: StoredPoint, *, tenant: str, collection: str, settings: Settings, preprocess: Callable[[Pixels], Pixels]
) -> Kept:
    """Brought to the model's size. Blocks; any thread or process may call. Raises NotVisible: neither can be read."""
    try:
        return Kept(preprocess(_decoded(_original(point, settings), settings)), is_copy=False)
    except (BadPicture, NotVisible):
        pass
    copy = _there(paths_of(settings.media_path, tenant, collection, point.id, "full"))
    try:
        return Kept(preprocess(_decoded(copy, settings)), is_copy=True)
    except (BadPicture, NotVisible) as error:
        raise NotVisible(f"neither the original nor its copy can be read: {error.detail}") from error


def _there(paths: Sequence[Path]) -> Path:
    """The first that exists; where none does, the one that is told to be missing."""
    return next((path for path in paths if path.exists()), paths[0])


def _original(point: StoredPoint, settings: Settings) -> Path:
    """The file that was indexed by reference, if it still has the same content. Raises NotVisible, PictureTooLarge."""
    ours = point.payload.get(INTERNAL, {})
    path = str(ours.get("path") or ours.get("source") or "")
    if not path.startswith("/"):
        raise NotVisible("it was uploaded")
    found = readable(settings).locate(path)
    if content_hash(found, max_bytes=settings.max_file_bytes) != ours.get("hash"):
        raise NotVisible("it has changed")
    return found


def _decoded(path: Path, settings: Settings) -> Pixels:
    limits = {"max_pixels": settings.max_pixels, "max_bytes": settings.max_file_bytes}
    return decode_reduced(path, **limits, needed_px=NEEDED_PX).pixels
