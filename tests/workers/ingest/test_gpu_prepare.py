"""Preparing by a GPU, over a codec that runs on the CPU."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from shared.connection import connect
from shared.errors import NotVisible
from shared.jobs import File
from shared.media import SIZES, path_of
from shared.queue import Queue
from shared.settings import Settings
from tests.workers.fleet import running_worker
from tests.workers.ingest.jpegs import CpuCodec, jpeg
from tests.workers.tasks.stack import Stack, settings_for, write_picture
from tests.workers.test_metrics import read, value
from workers.encoders.preprocess import Preprocess
from workers.encoders.protocol import Encoder
from workers.functions import functions
from workers.ingest.gpu_prepare import GpuPreparer
from workers.ingest.gpu_start import begin, most_pixels, start
from workers.ingest.prepare import Recipe, prepare
from workers.ingest.sources import Readable
from workers.ingest.thumbnails import Media
from workers.parts import open_parts

pytestmark = pytest.mark.anyio
INPUT = Preprocess(size=(32, 32), mean=(0.5,) * 3, std=(0.5,) * 3)
HASH = "a" * 64


def started(codec: Callable[[], CpuCodec] = CpuCodec) -> GpuPreparer | None:
    return begin(INPUT, codec, most_pixels=10**6)


@pytest.fixture
async def gpu() -> AsyncIterator[GpuPreparer]:
    made = await asyncio.to_thread(started)
    assert made is not None
    yield made
    await asyncio.to_thread(made.close)


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    folder = tmp_path / "pictures"
    folder.mkdir()
    return Recipe(
        readable=Readable(folder, [folder]),
        max_pixels=100_000,
        max_bytes=100_000,
        media=Media(tmp_path / "media"),
        tenant="t",
        collection="c",
        preprocess=INPUT,
    )


async def test_a_picture_is_prepared_and_its_copies_lie_where_the_cpu_puts_them(
    gpu: GpuPreparer, recipe: Recipe, tmp_path: Path
) -> None:
    (recipe.readable.start / "a.jpg").write_bytes(jpeg(turn=6))
    there = await gpu.prepare("a.jpg", 1, HASH, recipe)
    assert there is not None
    here = prepare("a.jpg", 2, HASH, msgspec.structs.replace(recipe, tenant="other"))
    assert (there.width, there.height) == (here.width, here.height) == (240, 320)
    assert np.abs(there.pixels.astype(int) - here.pixels).max() <= 3
    for size in SIZES:
        mine, theirs = (path_of(tmp_path / "media", *owner, size) for owner in (("t", "c", 1), ("other", "c", 2)))
        assert abs(mine.stat().st_size / theirs.stat().st_size - 1) < 0.1


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no picture",
        jpeg()[:4_000],
        jpeg(mode="CMYK"),
        jpeg(400, 500),
        jpeg() + jpeg() * 20,
        jpeg(20, 30),
    ],
    ids=["empty", "no picture", "cut off", "cmyk", "too many pixels", "too many bytes", "small"],
)
async def test_anything_else_goes_the_cpus_way(gpu: GpuPreparer, recipe: Recipe, tmp_path: Path, data: bytes) -> None:
    (recipe.readable.start / "a.jpg").write_bytes(data)
    assert await gpu.prepare("a.jpg", 1, HASH, recipe) is None
    assert await gpu.prepare("missing.jpg", 1, HASH, recipe) is None
    assert not (tmp_path / "media").exists()


async def test_what_may_not_be_read_is_not_read(gpu: GpuPreparer, recipe: Recipe) -> None:
    with pytest.raises(NotVisible):
        await gpu.prepare("../elsewhere.jpg", 1, HASH, recipe)


class Missing(CpuCodec):
    def __init__(self) -> None:
        raise RuntimeError("torchvision has brought no nvJPEG\nand more of it")


class Upside(CpuCodec):
    def decode(self, files: Any) -> Any:
        return [picture.flip(1) for picture in super().decode(files)]


@pytest.mark.parametrize(("codec", "said"), [(Missing, "no nvJPEG"), (Upside, "inputs differ by")])
def test_a_device_that_cannot_do_it_is_told_once(
    codec: Callable[[], CpuCodec], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert started(codec) is None
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith("JPEGs go the CPU's way: ")
    assert said in record.getMessage().splitlines()[0]


def test_a_model_on_the_cpu_has_none(tiny_encoder: Encoder) -> None:
    assert start(Settings(), tiny_encoder) is None


@pytest.mark.parametrize(("gigabytes", "megapixels"), [(80, 384), (8, 62), (4, 31)])
def test_a_batch_takes_a_share_of_the_devices_memory(gigabytes: int, megapixels: int) -> None:
    assert most_pixels(gigabytes * 10**9) // 10**6 == megapixels


async def test_an_ingest_goes_to_the_gpu_as_far_as_it_can(
    gpu: GpuPreparer, redis_url: str, tiny_model: Path, tmp_path: Path
) -> None:
    settings = settings_for(redis_url, tiny_model, tmp_path)
    async with connect(settings) as redis, open_parts(settings, redis) as opened:
        assert opened.gpu is None
        parts = replace(opened, gpu=gpu)
        async with running_worker(settings, functions(settings), ctx={"parts": parts}):
            stack = Stack(parts, Queue(redis, settings), settings.ingest_root_paths[0])
            await _index(stack)


async def _index(stack: Stack) -> None:
    collection, folder = await stack.create(), stack.folder
    written = {f"{number}.jpg": jpeg(200 + number, 300, turn=1 + number % 8) for number in range(40)}
    written["cut-off.jpg"] = jpeg()[:4_000]
    assert stack.parts.gpu is not None
    stack.parts.gpu.least_bytes = min(map(len, written.values()))
    written["small.jpg"] = jpeg(16, 16)
    assert not stack.parts.gpu.is_worth(len(written["small.jpg"]))
    for name, data in written.items():
        (folder / name).write_bytes(data)
    write_picture(folder / "drawing.png", seed=1)
    files = [File(source=name, path=str(folder / name)) for name in [*written, "drawing.png"]]
    result = await stack.ingest(collection, files)
    assert result.added == 42
    assert [row.source for row in result.skipped] == ["cut-off.jpg"]
    found = read(stack.parts.metrics.registry)
    assert value(found, "clipline_pictures_prepared_total", by="gpu") == 40
    assert value(found, "clipline_pictures_prepared_total", by="cpu") == 3
    again = await stack.ingest(collection, files[:40])
    assert (again.added, again.unchanged) == (0, 40)
