"""Pictures prepared for indexing: read, decoded, resized, copied, written; by the decoders of a worker, and by its GPU.

No model, no store: this is what an ingest can reach before they are asked. `cpu_ms` counts all processes; `lag_p99_ms`
is how late the event loop comes that all results go through.
"""

import asyncio
import itertools
import os
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import torch

from bench import cpu_use
from bench.encode_pictures import photo
from bench.report import Report, arguments, emit, median_of, percentile, progress
from workers.decoders import decoders
from workers.encoders.preprocess import Preprocess
from workers.executors import BoundedExecutor, cpus_granted
from workers.ingest.gpu_prepare import GpuPreparer
from workers.ingest.gpu_start import begin, most_pixels
from workers.ingest.nvjpeg import NvJpeg
from workers.ingest.prepare import Prepared, Recipe, prepare
from workers.ingest.sources import Readable
from workers.ingest.thumbnails import Media

# As many as two ingest jobs have under way.
UNDER_WAY = 64
# Width and height, and how many of a hundred pictures are of that size.
SIZES = {"small": (640, 480, 100), "medium": (1600, 1200, 40), "large": (4000, 3000, 10)}
TICK_S = 0.001
INPUT = Preprocess(size=(224, 224), mean=(0.5,) * 3, std=(0.5,) * 3)

Prepare = Callable[..., Awaitable[Prepared | None]]


class Pictures:
    """In a folder, no two alike; each run indexes them anew."""

    def __init__(self, folder: Path, hundreds: int) -> None:
        self._runs = itertools.count()
        self._folder = folder
        self.paths = {name: self._written(name, hundreds) for name in SIZES}

    def _written(self, name: str, hundreds: int) -> list[str]:
        width, height, share = SIZES[name]
        data = photo(width, height)
        paths = [self._folder / f"{name}-{number}.jpg" for number in range(share * hundreds)]
        for number, path in enumerate(paths):
            path.write_bytes(data[:2] + b"\xff\xfe\x00\x0a%08d" % number + data[2:])
        return [str(path) for path in paths]

    def recipe(self) -> Recipe:
        return Recipe(
            readable=Readable(self._folder, [self._folder.resolve()]),
            max_pixels=10**8,
            max_bytes=10**8,
            media=Media(self._folder / f"media-{next(self._runs)}"),
            tenant="bench",
            collection="pictures",
            preprocess=INPUT,
        )


async def measured(name: str, prepare_one: Prepare, pictures: Pictures) -> dict[str, float]:
    paths, recipe, slots = pictures.paths[name], pictures.recipe(), asyncio.Semaphore(UNDER_WAY)

    async def one(number: int, path: str) -> bool:
        async with slots:
            return await prepare_one(path, number, f"{number:064x}", recipe) is not None

    late_ms: list[float] = []
    watching = asyncio.create_task(_watch(late_ms))
    before, started = cpu_use.read(os.getpid()), perf_counter()
    done = await asyncio.gather(*(one(number, path) for number, path in enumerate(paths)))
    took_s, after = perf_counter() - started, cpu_use.read(os.getpid())
    watching.cancel()
    if not all(done):
        raise RuntimeError(f"{done.count(False)} of {len(done)} pictures were not prepared")
    used_ms = sum(after.values()) - sum(before.values())
    return {
        f"{name}_s": len(paths) / took_s,
        f"{name}_cpu_ms": used_ms / len(paths),
        f"{name}_lag_p99_ms": percentile(late_ms, 0.99),
    }


async def _watch(late_ms: list[float]) -> None:
    while True:
        started = perf_counter()
        await asyncio.sleep(TICK_S)
        late_ms.append(max(0.0, (perf_counter() - started - TICK_S) * 1000))


def by_decoders(pool: BoundedExecutor) -> Prepare:
    async def run(*what: Any) -> Prepared:
        return await pool.run(prepare, *what)

    return run


def gpu() -> GpuPreparer | None:
    if not torch.cuda.is_available():
        return None
    device = torch.device("cuda")
    total = torch.cuda.get_device_properties(device).total_memory
    return begin(INPUT, lambda: NvJpeg(device), most_pixels=most_pixels(total))


async def run(folder: Path, *, rounds: int, hundreds: int) -> dict[str, dict[str, float]]:
    pictures = Pictures(folder, hundreds)
    pool, on_gpu = await asyncio.to_thread(decoders, cpus_granted()), await asyncio.to_thread(gpu)
    systems = {"clipline": by_decoders(pool)}
    if on_gpu is not None:
        systems["clipline_gpu"] = on_gpu.prepare
    found: dict[str, list[dict[str, float]]] = {system: [] for system in systems}
    try:
        for number in range(rounds):
            for system, prepare_one in systems.items():
                progress(f"round {number + 1} of {rounds}: {system}")
                figures = [await measured(name, prepare_one, pictures) for name in SIZES]
                found[system].append({name: value for one in figures for name, value in one.items()})
    finally:
        await asyncio.to_thread(pool.close)
        if on_gpu is not None:
            await asyncio.to_thread(on_gpu.close)
    return {system: median_of(rows) for system, rows in found.items()}


def main() -> None:
    parser = arguments((__doc__ or "").partition("\n")[0])
    parser.add_argument("--hundreds", type=int, default=2, help="of small pictures in a round; fewer of the others")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="clipline-bench-preparing-") as folder:
        figures = asyncio.run(run(Path(folder), rounds=options.rounds, hundreds=options.hundreds))
    emit(Report(figures=figures), as_json=options.json)


if __name__ == "__main__":
    main()
