"""What `prepare.py` does for a picture, by a GPU: the host reads the file and writes the copies."""

from concurrent.futures import ThreadPoolExecutor

from workers.executors import BoundedExecutor
from workers.ingest.device_pictures import Made
from workers.ingest.gpu_jpegs import MOST_WAITING, GpuJpegs
from workers.ingest.prepare import Prepared, Recipe
from workers.ingest.whole_jpegs import Jpeg, whole_jpeg

# Enough for disks, and few beside the event loop, with which they share the interpreter.
FILE_THREADS = 4


# Smaller files are quicker with the decoders: an H100 indexed 254 pictures of 640 × 480 a second, and 16 CPUs 630; of
# 4000 × 3000, in 3 MB, 66 and 60, and took the CPUs 20 instead of 106 ms each (bench/RESULTS.md).
LEAST_BYTES = 1_000_000


class GpuPreparer:
    """Prepares the JPEGs that a GPU may have, where that is quicker: those of `least_bytes` or more."""

    def __init__(self, jpegs: GpuJpegs) -> None:
        self._jpegs = jpegs
        self.least_bytes = LEAST_BYTES
        self._files = BoundedExecutor(
            lambda: ThreadPoolExecutor(FILE_THREADS, thread_name_prefix="gpu-files"), in_flight=MOST_WAITING
        )

    def is_worth(self, size_bytes: int) -> bool:
        return size_bytes >= self.least_bytes

    async def prepare(self, path: str, item_id: int, content_hash: str, recipe: Recipe) -> Prepared | None:
        """None for a picture that is to go the CPU's way, where `prepare.prepare` finds out what is the matter.

        Raises NotVisible; OSError where the media folder cannot be written.
        """
        jpeg = await self._files.run(read, path, recipe)
        made = await self._jpegs.make(jpeg) if jpeg is not None else None
        if made is None:
            return None
        await self._files.run(_store, made, item_id, content_hash, recipe)
        return Prepared(pixels=made.pixels, width=made.width, height=made.height)

    def close(self) -> None:
        """Blocks until what is under way has ended."""
        self._jpegs.close()
        self._files.close()


def read(path: str, recipe: Recipe) -> Jpeg | None:
    """None for whatever may not be indexed, too. Raises NotVisible."""
    found = recipe.readable.locate(path)
    try:
        with found.open("rb") as file:
            data = file.read(recipe.max_bytes + 1)
    except OSError:
        return None
    jpeg = whole_jpeg(data) if len(data) <= recipe.max_bytes else None
    return jpeg if jpeg is not None and jpeg.pixels <= recipe.max_pixels else None


def _store(made: Made, item_id: int, content_hash: str, recipe: Recipe) -> None:
    recipe.media.store(recipe.tenant, recipe.collection, item_id, content_hash, made.copies)
