"""JPEGs through a real nvJPEG: as the CPU prepares them, whatever else the device does; skipped where there is none."""

import asyncio
import io
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import simplejpeg
import torch
from PIL import Image, JpegImagePlugin

from shared.jobs import File
from shared.media import SIZES, path_of
from shared.settings import Settings
from tests.workers.ingest.jpegs import jpeg
from tests.workers.tasks.stack import settings_for, working
from workers.encoders.load import load_encoder
from workers.encoders.preprocess import Preprocess, resize
from workers.encoders.protocol import Encoder, Pixels
from workers.ingest.decode import decode_reduced
from workers.ingest.device_pictures import DevicePictures, Made
from workers.ingest.gpu_check import check
from workers.ingest.gpu_jpegs import GpuJpegs
from workers.ingest.gpu_start import start
from workers.ingest.nvjpeg import NvJpeg
from workers.ingest.thumbnails import LONGEST_PX, NEEDED_PX, jpeg_copies
from workers.ingest.whole_jpegs import Jpeg, whole_jpeg

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]
INPUT = Preprocess(size=(224, 224), mean=(0.5,) * 3, std=(0.5,) * 3)
WITHIN_S = 120.0
# Steps of 255: the halved colours of spots with hard edges. Whole ones and grey are within two.
MOST, MEAN = 8, 1.0
COPY_MEAN = 2.0
PHOTOS: list[dict[str, Any]] = [
    {"height": 480, "width": 640},
    {"height": 481, "width": 643},
    {"height": 480, "width": 640, "subsampling": 0},
    {"height": 480, "width": 640, "subsampling": 1},
    {"height": 480, "width": 640, "mode": "L"},
    {"height": 480, "width": 640, "progressive": True},
    {"height": 480, "width": 640, "restart_marker_blocks": 4},
    {"height": 224, "width": 300, "subsampling": 0},
    {"height": 400, "width": 3_000},
    {"height": 1_200, "width": 1_600},
    {"height": 3_000, "width": 4_000},
    *({"height": 480, "width": 640, "turn": turn} for turn in range(1, 9)),
]


@pytest.fixture(scope="module")
def pictures() -> DevicePictures:
    return DevicePictures(INPUT, NvJpeg(torch.device("cuda")))


def whole(data: bytes) -> Jpeg:
    found = whole_jpeg(data)
    assert found is not None
    return found


def reduced(data: bytes) -> Pixels:
    """A quarter as large, which hides what encoders do differently."""
    pixels: Pixels = simplejpeg.decode_jpeg(data, "RGB")
    height, width = (max(1, side // 4) for side in pixels.shape[:2])
    return resize(pixels, (height, width))


def steps(one: Pixels, other: Pixels) -> Any:
    assert one.shape == other.shape
    return np.abs(one.astype(int) - other.astype(int))


def is_as_on_the_cpu(made: Made, data: bytes, *, exact: bool = False) -> None:
    here = decode_reduced(data, max_pixels=10**8, max_bytes=10**8, needed_px=NEEDED_PX)
    assert (made.width, made.height) == (here.width, here.height)
    differences = steps(made.pixels, INPUT(here.pixels))
    assert differences.max() <= (2 if exact else MOST)
    assert differences.mean() <= MEAN
    for size, expected in jpeg_copies(here.pixels).items():
        mine, theirs = (Image.open(io.BytesIO(one)) for one in (made.copies[size], expected))
        assert mine.format == "JPEG"
        assert JpegImagePlugin.get_sampling(mine) == JpegImagePlugin.get_sampling(theirs)
        assert steps(reduced(made.copies[size]), reduced(expected)).mean() <= COPY_MEAN
        assert max(mine.size) <= LONGEST_PX[size]


@pytest.mark.parametrize("photo", PHOTOS, ids=str)
def test_a_photo_comes_as_on_the_cpu(pictures: DevicePictures, photo: dict[str, Any]) -> None:
    data = jpeg(**photo)
    assert pictures.may_have(whole(data))
    [made] = pictures.make([whole(data)])
    is_as_on_the_cpu(made, data, exact=photo.get("subsampling") == 0 or photo.get("mode") == "L")


def test_a_batch_of_all_kinds_comes_in_its_order(pictures: DevicePictures) -> None:
    files = [jpeg(**photo) for photo in PHOTOS]
    for made, data in zip(pictures.make([whole(data) for data in files]), files, strict=True):
        is_as_on_the_cpu(made, data)


@pytest.mark.parametrize(
    "config", [{"size": (224, 160)}, {"size": (224, 224), "resize_mode": "squash"}, {"size": (336, 336)}]
)
def test_it_passes_the_check_for_inputs_of_any_shape(config: dict[str, Any]) -> None:
    wanted = Preprocess(**config, mean=(0.5,) * 3, std=(0.5,) * 3)
    check(DevicePictures(wanted, NvJpeg(torch.device("cuda"))), wanted)


@pytest.fixture
def busy() -> Iterator[None]:
    """Another thread keeps the device at work, on the stream that models use."""
    over = threading.Event()

    def work() -> None:
        factors = torch.ones(4096, 4096, device="cuda", dtype=torch.float16)
        while not over.is_set():
            for _ in range(50):
                factors = (factors @ factors).clamp(0, 1)
            torch.cuda.current_stream().synchronize()

    thread = threading.Thread(target=work)
    thread.start()
    yield
    over.set()
    thread.join()


def test_what_comes_does_not_depend_on_what_else_the_device_does(pictures: DevicePictures, request: Any) -> None:
    jpegs = [whole(jpeg(600 + number, 800, turn=1 + number % 8)) for number in range(24)]
    idle = pictures.make(jpegs)
    request.getfixturevalue("busy")
    for _ in range(5):
        for one, before in zip(pictures.make(jpegs), idle, strict=True):
            np.testing.assert_array_equal(one.pixels, before.pixels)
            assert one.copies == before.copies


@pytest.fixture
async def jpegs(pictures: DevicePictures) -> AsyncIterator[GpuJpegs]:
    made = GpuJpegs(pictures, most_pixels=10**9)
    yield made
    await asyncio.to_thread(made.close)


async def test_a_picture_that_nvjpeg_refuses_does_not_fail_its_companions(jpegs: GpuJpegs) -> None:
    good = jpeg(480, 640)
    # What the walk through a file does not let pass, under a header that it would.
    bad = Jpeg(
        data=np.frombuffer(jpeg(480, 640, mode="CMYK"), np.uint8).copy(),
        width=640,
        height=480,
        turn=1,
        has_less_colour=False,
    )
    async with asyncio.timeout(WITHIN_S):
        made = await asyncio.gather(*(jpegs.make(bad if number == 5 else whole(good)) for number in range(12)))
    assert made[5] is None
    for number, one in enumerate(made):
        if number != 5:
            assert one is not None
            is_as_on_the_cpu(one, good)


@pytest.fixture
def with_little_memory() -> Iterator[None]:
    """64 MiB: enough for a picture of 3 megapixels as floats, not for 16 as bytes."""
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + (112 << 20)) / total)
    yield
    torch.cuda.set_per_process_memory_fraction(1.0)


@pytest.mark.usefixtures("with_little_memory")
async def test_a_batch_that_the_devices_memory_does_not_hold_is_halved(jpegs: GpuJpegs) -> None:
    data = jpeg(1_500, 2_000)
    async with asyncio.timeout(WITHIN_S):
        made = await asyncio.gather(*(jpegs.make(whole(data)) for _ in range(16)))
    assert None not in made
    assert made[-1] is not None
    is_as_on_the_cpu(made[-1], data)


@pytest.fixture(scope="module")
def on_gpu(tiny_model: Path) -> Encoder:
    return load_encoder(Settings(model=f"local-dir:{tiny_model}", device="cuda", precision="fp32"))


def test_a_worker_starts_with_it_unless_a_setting_says_no(on_gpu: Encoder) -> None:
    made = start(Settings(), on_gpu)
    assert made is not None
    made.close()
    assert start(Settings(nvjpeg="off"), on_gpu) is None


async def test_an_ingest_through_it(redis_url: str, tiny_model: Path, tmp_path: Path) -> None:
    settings = msgspec.structs.replace(settings_for(redis_url, tiny_model, tmp_path), device="cuda")
    async with working(settings) as stack:
        assert stack.parts.gpu is not None
        stack.parts.gpu.least_bytes = 0
        kinds: dict[str, dict[str, Any]] = {
            "photo": {},
            "lying": {"turn": 6},
            "grey": {"mode": "L"},
            "cmyk": {"mode": "CMYK"},
            "small": {"height": 20, "width": 30},
        }
        for name, kind in kinds.items():
            (stack.folder / f"{name}.jpg").write_bytes(jpeg(**kind))
        (stack.folder / "cut-off.jpg").write_bytes(jpeg()[:4_000])
        names = [*kinds, "cut-off"]
        collection = await stack.create()
        files = [File(source=name, path=str(stack.folder / f"{name}.jpg")) for name in names]
        result = await stack.ingest(collection, [*files, stack.file("drawing.png")])
        assert result.added == len(kinds) + 1
        assert [row.source for row in result.skipped] == ["cut-off"]
        found = await stack.all_items(collection)
        vectors = await stack.vectors(collection, [item.id for item in found.values()])
        for name in kinds:
            here = decode_reduced(stack.folder / f"{name}.jpg", max_pixels=10**6, max_bytes=10**6, needed_px=None)
            encoder = stack.parts.encoder
            [expected] = encoder.encode_images([encoder.preprocess(here.pixels)])
            assert float(expected @ vectors[found[name].id]) > 0.999
            for size in SIZES:
                assert path_of(settings.media_path, "t", collection, found[name].id, size).stat().st_size > 0
