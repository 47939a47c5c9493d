"""Small WebP copies of the pictures, written where the API finds them by an item's id."""

import errno
import io
import os
import shutil
import uuid
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from PIL import Image

from shared.media import SIZES, Size, blob_path_of, collection_folder, path_of
from workers.encoders.preprocess import resize
from workers.encoders.protocol import Pixels

LONGEST_PX: Mapping[Size, int] = {"thumb": 256, "full": 1280}
NEEDED_PX = max(LONGEST_PX.values())
QUALITY = 80
# libwebp's method, from 0 (fast) to 6 (small).
EFFORT = 2
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

    def store(self, tenant: str, collection: str, item_id: int, content_hash: str, pixels: Pixels) -> None:
        """Write the copies that are missing and point the item to them; the blob it leaves goes with its last item.

        Doing it again changes nothing. Blocks; any thread may call. Raises OSError where the folder cannot be written.
        """
        place = _Place(self._root, tenant, collection, item_id)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                place.write_missing(content_hash, pixels)
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
    """One item in the media folder; beside its pictures a symbolic link spells the hash of what they show."""

    def __init__(self, root: Path, tenant: str, collection: str, item_id: int) -> None:
        self._item: dict[Size, Path] = {size: path_of(root, tenant, collection, item_id, size) for size in SIZES}
        self._blob: Callable[[str, Size], Path] = lambda content_hash, size: blob_path_of(
            root, tenant, collection, content_hash, size
        )
        self._hash_note = self._item[SIZES[0]].with_name(f"{item_id}.hash")

    def write_missing(self, content_hash: str, pixels: Pixels) -> None:
        blobs = {size: self._blob(content_hash, size) for size in SIZES}
        if all(_is_filled(blob) for blob in blobs.values()):
            return
        for size, data in webp_copies(pixels).items():
            _put(blobs[size], partial(_write, data))

    def point_to(self, content_hash: str) -> None:
        left = self._noted_hash()
        for size, item in self._item.items():
            blob = self._blob(content_hash, size)
            if not item.exists() or not item.samefile(blob):
                _put(item, partial(_link_or_copy, blob))
        if left != content_hash:
            _put(self._hash_note, lambda path: path.symlink_to(content_hash))
        if left not in {None, content_hash}:
            self._remove_unused(str(left))

    def remove(self) -> None:
        left = self._noted_hash()
        for item in self._item.values():
            item.unlink(missing_ok=True)
        # The note goes last: it is what leads to the blob.
        if left is not None:
            self._remove_unused(left)
            self._hash_note.unlink(missing_ok=True)

    def _noted_hash(self) -> str | None:
        try:
            return str(self._hash_note.readlink())
        except FileNotFoundError:
            return None

    def _remove_unused(self, content_hash: str) -> None:
        for blob in (self._blob(content_hash, size) for size in SIZES):
            if blob.exists() and blob.stat().st_nlink == 1:
                blob.unlink(missing_ok=True)


def webp_copies(pixels: Pixels) -> dict[Size, bytes]:
    """At most LONGEST_PX on the longer side, never larger than the picture is."""
    copies: dict[Size, bytes] = {}
    # The largest first: the next is made from it.
    for size, longest in sorted(LONGEST_PX.items(), key=lambda entry: -entry[1]):
        pixels = _fitted(pixels, longest)
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "WEBP", quality=QUALITY, method=EFFORT)
        copies[size] = buffer.getvalue()
    return copies


def _fitted(pixels: Pixels, longest: int) -> Pixels:
    height, width = pixels.shape[:2]
    shrink = max(height, width) / longest
    if shrink <= 1:
        return pixels
    return resize(pixels, (max(1, round(height / shrink)), max(1, round(width / shrink))))


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
