import io
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, JpegImagePlugin

from shared.media import SIZES
from tests.workers.ingest.jpegs import CpuCodec, jpeg
from workers.encoders import preprocess as by_uint8
from workers.encoders.preprocess import Preprocess
from workers.encoders.protocol import Pixels
from workers.ingest.decode import decode_reduced
from workers.ingest.device_pictures import DevicePictures, Made, resize, upright
from workers.ingest.gpu_check import check, photo
from workers.ingest.orientation import upright as upright_pixels
from workers.ingest.thumbnails import jpeg_copies
from workers.ingest.whole_jpegs import Jpeg, whole_jpeg

STATISTICS: dict[str, Any] = {"mean": (0.5,) * 3, "std": (0.5,) * 3}
CONFIGS: list[dict[str, Any]] = [
    {"size": (32, 32)},
    {"size": (32, 48)},
    {"size": (48, 32), "interpolation": "bilinear"},
    {"size": (32, 32), "interpolation": "bilinear"},
    {"size": (24, 40), "resize_mode": "squash"},
    {"size": (33, 33), "resize_mode": "longest", "fill_color": 127},
    {"size": (32, 48), "resize_mode": "longest"},
]
INPUT = Preprocess(size=(32, 32), **STATISTICS)


def whole(data: bytes) -> Jpeg:
    found = whole_jpeg(data)
    assert found is not None
    return found


def made(data: bytes, config: Preprocess = INPUT) -> Made:
    [one] = DevicePictures(config, CpuCodec()).make([whole(data)])
    return one


def decoded(data: bytes) -> Pixels:
    """In full: a fraction is decoded by other sums."""
    return decode_reduced(data, max_pixels=10**8, max_bytes=10**8, needed_px=None).pixels


def difference(one: Pixels, other: Pixels) -> int:
    assert one.shape == other.shape
    return int(np.abs(one.astype(int) - other.astype(int)).max())


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(2, 300),
    width=st.integers(2, 300),
    to_height=st.floats(0, 1),
    to_width=st.floats(0, 1),
    bilinear=st.booleans(),
)
def test_floats_are_reduced_to_what_uint8_gives_within_one_step(
    height: int, width: int, to_height: float, to_width: float, bilinear: bool
) -> None:
    # Far from 0 and 255, where uint8 stops between its two passes and floats go on.
    pixels = np.array(photo(height, width)) // 2 + 64
    size = (max(2, int(to_height * height)), max(2, int(to_width * width)))
    ours = resize(torch.from_numpy(pixels).permute(2, 0, 1).float(), size, bilinear=bilinear)
    steps = difference(ours.permute(1, 2, 0).numpy(), by_uint8.resize(pixels, size, bilinear=bilinear))
    assert steps <= 1


@pytest.mark.parametrize("turn", range(1, 9))
def test_pictures_are_turned_as_on_the_cpu(turn: int) -> None:
    pixels = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)
    turned = upright(torch.from_numpy(pixels).permute(2, 0, 1), turn)
    assert turned.is_contiguous()
    np.testing.assert_array_equal(turned.permute(1, 2, 0).numpy(), upright_pixels(pixels, turn))


@pytest.mark.parametrize("config", CONFIGS, ids=str)
@pytest.mark.parametrize("size", [(200, 300), (301, 200), (100, 700), (49, 50)], ids=str)
def test_inputs_are_those_of_the_cpu(config: dict[str, Any], size: tuple[int, int]) -> None:
    data = jpeg(*size, subsampling=0)
    wanted = Preprocess(**config, **STATISTICS)
    assert DevicePictures(wanted, CpuCodec()).may_have(whole(data))
    steps = np.abs(made(data, wanted).pixels.astype(int) - wanted(decoded(data)))
    assert steps.max() <= 4
    assert (steps > 1).mean() <= 0.01


@pytest.mark.parametrize("kind", [{}, {"subsampling": 1}, {"mode": "L"}, {"progressive": True}], ids=str)
@pytest.mark.parametrize("turn", range(1, 9))
def test_a_picture_of_any_kind_comes_as_on_the_cpu(kind: dict[str, Any], turn: int) -> None:
    data = jpeg(241, 333, turn=turn, **kind)
    here = decode_reduced(data, max_pixels=10**6, max_bytes=10**6, needed_px=None)
    there = made(data)
    assert (there.width, there.height) == (here.width, here.height)
    assert difference(there.pixels, INPUT(here.pixels)) <= 3


@pytest.mark.parametrize("size", [(900, 1_400), (300, 200), (90, 1_440), (50, 60)], ids=str)
def test_copies_are_those_of_the_cpu(size: tuple[int, int]) -> None:
    data = jpeg(*size, subsampling=0)
    here = jpeg_copies(decoded(data))
    there = made(data).copies
    assert list(there) == list(here)
    for one in SIZES:
        mine, theirs = Image.open(io.BytesIO(there[one])), Image.open(io.BytesIO(here[one]))
        assert mine.size == theirs.size
        assert JpegImagePlugin.get_sampling(mine) == JpegImagePlugin.get_sampling(theirs)
        # A step before they are encoded may become a few.
        assert np.abs(np.asarray(mine).astype(int) - np.asarray(theirs)).mean() < 1.5


def test_drawings_keep_their_colours_in_full() -> None:
    file = io.BytesIO()
    drawn = np.zeros((300, 300, 3), np.uint8)
    drawn[:, ::30] = (255, 0, 0)
    Image.fromarray(drawn).save(file, "JPEG", quality=95, subsampling=0)
    for data in made(file.getvalue()).copies.values():
        assert JpegImagePlugin.get_sampling(Image.open(io.BytesIO(data))) == 0


def test_a_batch_comes_in_its_order() -> None:
    files = [jpeg(100 + 7 * number, 150, turn=1 + number % 8) for number in range(9)]
    together = DevicePictures(INPUT, CpuCodec()).make([whole(data) for data in files])
    for one, data in zip(together, files, strict=True):
        alone = made(data)
        np.testing.assert_array_equal(one.pixels, alone.pixels)
        assert (one.copies, one.width, one.height) == (alone.copies, alone.width, alone.height)


def test_pixels_of_another_size_than_the_header_says_are_refused() -> None:
    class Wrong(CpuCodec):
        def decode(self, files: Any) -> list[torch.Tensor]:
            return [pixels[:, 1:] for pixels in super().decode(files)]

    with pytest.raises(RuntimeError, match="for 320 × 240 pixels"):
        DevicePictures(INPUT, Wrong()).make([whole(jpeg())])


@pytest.mark.parametrize(
    ("size", "subsampling", "may"),
    [
        ((56, 200), 2, True),
        ((55, 200), 2, False),
        ((56, 200), 1, True),
        ((55, 200), 1, False),
        ((32, 200), 0, True),
        ((31, 200), 0, False),
        ((60, 960), 2, True),
        ((961, 60), 2, False),
        ((768, 768), 2, True),
        ((800, 800), 2, False),
    ],
)
def test_only_what_comes_as_on_the_cpu_is_taken(size: tuple[int, int], subsampling: int, may: bool) -> None:
    pictures = DevicePictures(INPUT, CpuCodec())
    assert pictures.may_have(whole(jpeg(*size, subsampling=subsampling))) is may


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_a_device_that_does_as_the_cpu_passes_the_check(config: dict[str, Any]) -> None:
    wanted = Preprocess(**config, **STATISTICS)
    check(DevicePictures(wanted, CpuCodec()), wanted)


class Faded(CpuCodec):
    def decode(self, files: Any) -> list[torch.Tensor]:
        return [pixels // 8 * 8 for pixels in super().decode(files)]


class Blurred(CpuCodec):
    def encode(self, pictures: Any, *, whole_colours: Any) -> list[bytes]:
        return super().encode([picture.flip(0) for picture in pictures], whole_colours=whole_colours)


@pytest.mark.parametrize(("codec", "said"), [(Faded(), "inputs differ by"), (Blurred(), "copies differ by")])
def test_a_device_that_does_otherwise_does_not(codec: CpuCodec, said: str) -> None:
    with pytest.raises(ArithmeticError, match=said):
        check(DevicePictures(INPUT, codec), INPUT)
