"""How near indexing comes to the encoder's own limit: a worker's decoders prepare one batch while another is encoded.

What they do is what they do for an ingest: read the file, decode it, write both copies, bring it to the model's size.
"""

import asyncio
import itertools
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from workers.decoders import decoders
from workers.encoders.protocol import Encoder, Pixels
from workers.executors import BoundedExecutor, cpus_granted
from workers.ingest.prepare import Prepared, Recipe, prepare
from workers.ingest.sources import Readable
from workers.ingest.thumbnails import Media

BATCH, BATCHES = 16, 6


def measured(encoder: Encoder, data: bytes, folder: Path) -> dict[str, float]:
    """Of BATCHES batches of the picture `data`: `indexing_s` pictures a second, `indexing_share` of the encoder's."""
    path = folder / "picture.jpg"
    path.write_bytes(data)
    pool = decoders(cpus_granted())
    try:
        return asyncio.run(_measured(encoder, Source(path, encoder.preprocess, pool)))
    finally:
        pool.close()


class Source:
    """Prepares one file again and again; each time it counts as another picture, so that its copies are written."""

    def __init__(self, path: Path, preprocess: Callable[[Pixels], Pixels], pool: BoundedExecutor) -> None:
        self._path, self._pool, self._ids = path, pool, itertools.count()
        self._recipe = Recipe(
            readable=Readable(path.parent, [path.parent.resolve()]),
            max_pixels=10**8,
            max_bytes=10**8,
            media=Media(path.parent / "media"),
            tenant="bench",
            collection="pictures",
            preprocess=preprocess,
        )

    async def batch(self) -> list[Pixels]:
        return [one.pixels for one in await asyncio.gather(*(self._one(next(self._ids)) for _ in range(BATCH)))]

    async def _one(self, item_id: int) -> Prepared:
        return await self._pool.run(prepare, str(self._path), item_id, f"{item_id:064x}", self._recipe)


async def _measured(encoder: Encoder, source: Source) -> dict[str, float]:
    encode_s = indexed_s = 0.0
    ready = await source.batch()
    # In turns, so that whatever else the machine does meets both.
    for _ in range(BATCHES):
        started = perf_counter()
        await asyncio.to_thread(encoder.encode_images, ready)
        encode_s += perf_counter() - started
        started = perf_counter()
        ready, _ = await asyncio.gather(source.batch(), asyncio.to_thread(encoder.encode_images, ready))
        indexed_s += perf_counter() - started
    return {"indexing_s": BATCH * BATCHES / indexed_s, "indexing_share": encode_s / indexed_s}
