"""Small JPEG copies of the pictures, written where the API finds them by an item's id."""

import errno
import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import simplejpeg

from shared.media import CONTENT_TYPES, SIZES, WRITTEN, Size, blob_path_of, collection_folder, path_of
from workers.encoders.preprocess import resize
from workers.encoders.protocol import Pixels

LONGEST_PX: Mapping[Size, int] = {"thumb": 256, "full": 1280}
NEEDED_PX = max(LONGEST_PX.values())
# The largest first: the next is made from it.
DESCENDING = sorted(LONGEST_PX.items(), key=lambda entry: -entry[1])
Copies = Mapping[Size, bytes]  # as they are written
EARLIER = tuple(suffix for suffix in CONTENT_TYPES if suffix != WRITTEN)
# As near to a picture as WebP of the same figure, in an eighth of its time, for more bytes (bench/RESULTS.md).
QUALITY = 80
# Photographs have neighbouring pixels of one colour in up to .22 of all places, flat drawings in .53 and more.
DRAWN = 0.3
# Where a file system has no hard links, or a blob has as many as it may (65,000 on ext4), an item gets a copy.
NO_LINK = frozenset({errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EXDEV, errno.ENOSYS})
# A blob can be removed between finding and linking it, when its last item gets another picture at that moment.
ATTEMPTS = 5


class Media:
    """The media folder. Blobs are named by content; an item's path is another name (a hard link) of its blob's file.

    So an item never points to nothing, in whatever order several workers write and remove, and a blob with no name but
    its own is one that no item uses.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def store(self, tenant: str, collection: str, item_id: int, content_hash: str, picture: Pixels | Copies) -> None:
        """Write the copies that are missing and point the item to them; the blob it leaves goes with its last item.

        They are made from `picture` where that is not done yet. Doing it again changes nothing. Blocks; any thread may
        call. Raises OSError where the folder cannot be written.
        """
        place = _Place(self._root, tenant, collection, item_id)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                place.write_missing(content_hash, picture)
                place.point_to(content_hash)
                return
            except FileNotFoundError:
                if attempt == ATTEMPTS:
                    raise

    def remove(self, tenant: str, collection: str, item_id: int) -> None:
        """Remove an item's pictures, and the blob that nobody else uses; one without pictures is no error. Blocks."""
        _Place(self._root, tenant, collection, item_id).remove()

    def drop(self, tenant: str, collection: str) -> None:
        """Remove a collection's pictures; they vanish at once, their bytes before this returns."""
        folder = collection_folder(self._root, tenant, collection)
        doomed = folder.with_name(f".dropped-{uuid.uuid4().hex}")
        try:
            folder.rename(doomed)
        except FileNotFoundError:
            return
        shutil.rmtree(doomed)


class _Place:
    """One item in the media folder; beside its pictures a symbolic link spells the hash of what they show.

    Copies of an earlier version's kind go when the item is stored again, after the new ones are there.
    """

    def __init__(self, root: Path, tenant: str, collection: str, item_id: int) -> None:
        self._item: Callable[[Size, str], Path] = lambda size, suffix: path_of(
            root, tenant, collection, item_id, size, suffix=suffix
        )
        self._blob: Callable[[str, Size, str], Path] = lambda content_hash, size, suffix: blob_path_of(
            root, tenant, collection, content_hash, size, suffix=suffix
        )
        self._hash_note = self._item(SIZES[0], WRITTEN).with_name(f"{item_id}.hash")

    def write_missing(self, content_hash: str, picture: Pixels | Copies) -> None:
        blobs = {size: self._blob(content_hash, size, WRITTEN) for size in SIZES}
        if all(_is_filled(blob) for blob in blobs.values()):
            return
        copies = jpeg_copies(picture) if isinstance(picture, np.ndarray) else picture
        for size, data in copies.items():
            _put(blobs[size], partial(_write, data))

    def point_to(self, content_hash: str) -> None:
        left = self._noted_hash()
        for size in SIZES:
            item, blob = self._item(size, WRITTEN), self._blob(content_hash, size, WRITTEN)
            if not item.exists() or not item.samefile(blob):
                _put(item, partial(_link_or_copy, blob))
        if left != content_hash:
            _put(self._hash_note, lambda path: path.symlink_to(content_hash))
        if left is None:
            return
        self._unlink(EARLIER)
        self._remove_unused(left, EARLIER if left == content_hash else CONTENT_TYPES)

    def remove(self) -> None:
        left = self._noted_hash()
        self._unlink(CONTENT_TYPES)
        # The note goes last: it is what leads to the blob.
        if left is not None:
            self._remove_unused(left, CONTENT_TYPES)
            self._hash_note.unlink(missing_ok=True)

    def _noted_hash(self) -> str | None:
        try:
            return str(self._hash_note.readlink())
        except FileNotFoundError:
            return None

    def _unlink(self, suffixes: Iterable[str]) -> None:
        for size, suffix in product(SIZES, suffixes):
            self._item(size, suffix).unlink(missing_ok=True)

    def _remove_unused(self, content_hash: str, suffixes: Iterable[str]) -> None:
        for blob in (self._blob(content_hash, size, suffix) for size, suffix in product(SIZES, suffixes)):
            if blob.exists() and blob.stat().st_nlink == 1:
                blob.unlink(missing_ok=True)


def jpeg_copies(pixels: Pixels) -> dict[Size, bytes]:
    """At most LONGEST_PX on the longer side, never larger than the picture is. Any thread may call."""
    fitted: dict[Size, Pixels] = {}
    for size, longest in DESCENDING:
        pixels = fitted[size] = _fitted(pixels, longest)
    # Where edges are hard, halved colours would be seen to run.
    sampling = "444" if _is_drawn(pixels) else "420"
    encode = partial(simplejpeg.encode_jpeg, quality=QUALITY, colorspace="RGB", colorsubsampling=sampling)
    return {size: encode(np.ascontiguousarray(one)) for size, one in fitted.items()}


def _is_drawn(pixels: Pixels) -> bool:
    """Or a screenshot: areas of one colour. Every other row tells."""
    same = pixels[::2, 1:] == pixels[::2, :-1]  # (height / 2, width - 1, 3)
    alike = np.count_nonzero(same[..., 0] & same[..., 1] & same[..., 2])
    return bool(alike > DRAWN * same[..., 0].size)


def _fitted(pixels: Pixels, longest: int) -> Pixels:
    height, width = pixels.shape[:2]
    size = fitted_size(height, width, longest)
    return pixels if size == (height, width) else resize(pixels, size)


def fitted_size(height: int, width: int, longest: int) -> tuple[int, int]:
    """(height, width) with no side longer, as they are where none is."""
    shrink = max(1.0, max(height, width) / longest)
    return max(1, round(height / shrink)), max(1, round(width / shrink))


def _is_filled(path: Path) -> bool:
    """A power cut can leave a file with a name and no content."""
    try:
        return path.stat().st_size > 0
    except FileNotFoundError:
        return False


def _put(path: Path, make: Callable[[Path], object]) -> None:
    """Make a file beside its place, then move it there, so that a reader sees the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{uuid.uuid4().hex}")
    try:
        make(fresh)
        fresh.replace(path)
    finally:
        # Renaming onto another name of the same file succeeds and leaves both (POSIX rename).
        fresh.unlink(missing_ok=True)


def _write(data: bytes, path: Path) -> None:
    path.write_bytes(data)


def _link_or_copy(blob: Path, path: Path) -> None:
    try:
        os.link(blob, path)
    except OSError as error:
        if error.errno not in NO_LINK:
            raise
        shutil.copyfile(blob, path)
