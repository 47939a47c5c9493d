"""What a CPU does for each picture of an ingest job, in a thread or in a process of its own (`workers/decoders.py`)."""

from collections.abc import Callable, Sequence

import msgspec

from shared.errors import NotVisible
from shared.media import Kind
from workers.encoders.protocol import Pixels
from workers.ingest.decode import decode_reduced
from workers.ingest.kinds import kind_of
from workers.ingest.sources import Readable, content_hash
from workers.ingest.thumbnails import NEEDED_PX, Media
from workers.tasks.tally import REFUSALS, Refusal


class Looked(msgspec.Struct, frozen=True):
    """What a file is, and of a picture its SHA-256 in hex and its size; a video's hash takes minutes."""

    kind: Kind
    hash: str | None = None
    size_bytes: int = 0


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """What all pictures of a job have in common. Goes to other processes, so it can be pickled."""

    readable: Readable
    max_pixels: int
    max_bytes: int
    media: Media
    tenant: str
    collection: str
    preprocess: Callable[[Pixels], Pixels]


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """The model's input, and the size in pixels that the picture has."""

    pixels: Pixels
    width: int
    height: int


def look_at(paths: Sequence[str], readable: Readable, *, max_bytes: int) -> list[Looked | Refusal]:
    """Several at once: asking another process costs ten times what one answer does."""
    return [_looked(path, readable, max_bytes=max_bytes) for path in paths]


def _looked(path: str, readable: Readable, *, max_bytes: int) -> Looked | Refusal:
    try:
        return look(path, readable, max_bytes=max_bytes)
    except REFUSALS as error:
        return error


def look(path: str, readable: Readable, *, max_bytes: int) -> Looked:
    """Raises NotVisible, and PictureTooLarge for a picture of more than `max_bytes`."""
    found = readable.locate(path)
    try:
        kind, size_bytes = kind_of(found), found.stat().st_size
    except OSError as error:
        raise NotVisible(f"the workers cannot read it: {error.strerror}") from error
    return Looked(kind, content_hash(found, max_bytes=max_bytes) if kind == "picture" else None, size_bytes)


def prepare(path: str, item_id: int, content_hash: str, recipe: Recipe) -> Prepared:
    """Decode, write the copies that are missing, bring to the model's size.

    Raises NotVisible, BadPicture, PictureTooLarge; OSError where the media folder cannot be written.
    """
    found = recipe.readable.locate(path)
    picture = decode_reduced(found, max_pixels=recipe.max_pixels, max_bytes=recipe.max_bytes, needed_px=NEEDED_PX)
    recipe.media.store(recipe.tenant, recipe.collection, item_id, content_hash, picture.pixels)
    return Prepared(pixels=recipe.preprocess(picture.pixels), width=picture.width, height=picture.height)
