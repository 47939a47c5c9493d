import contextlib
import io
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from shared.errors import BadPicture, PictureTooLarge
from workers.encoders.protocol import Pixels
from workers.ingest.decode import decode, decode_reduced

LIMITS = {"max_pixels": 1_000_000, "max_bytes": 4_000_000}
RED, WHITE = (200, 30, 40), (255, 255, 255)


def saved(image: Image.Image, format_: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format_, **options)
    return buffer.getvalue()


def drawn(mode: str = "RGB", size: tuple[int, int] = (40, 24)) -> Image.Image:
    """Red, with a white upper left corner: every rotation and reflection looks different."""
    image = Image.new("RGB", size, RED)
    image.paste(WHITE, (0, 0, size[0] // 2, size[1] // 3))
    return image.convert(mode)


def opened(data: bytes) -> Pixels:
    return decode(data, **LIMITS)


def near(pixels: Pixels, wanted: Image.Image, tolerance: int = 0) -> bool:
    expected = np.asarray(wanted.convert("RGB")).astype(int)
    return pixels.shape == expected.shape and int(np.abs(pixels.astype(int) - expected).max()) <= tolerance


@pytest.mark.parametrize(
    ("format_", "options", "tolerance"),
    [
        ("PNG", {}, 0),
        ("BMP", {}, 0),
        ("TIFF", {}, 0),
        ("TIFF", {"compression": "tiff_lzw"}, 0),
        ("TIFF", {"compression": "jpeg"}, 30),
        ("WEBP", {"lossless": True}, 0),
        ("JPEG", {"quality": 95, "subsampling": 0}, 12),
        ("JPEG", {"quality": 95, "progressive": True, "subsampling": 0}, 12),
        ("JPEG", {"quality": 95, "keep_rgb": True}, 12),
        ("GIF", {}, 0),
    ],
)
def test_every_format_gives_its_pixels(format_: str, options: dict[str, Any], tolerance: int) -> None:
    pixels = opened(saved(drawn(), format_, **options))
    assert pixels.dtype == np.uint8
    assert near(pixels, drawn(), tolerance)


@pytest.mark.parametrize(
    ("mode", "format_"),
    [
        ("L", "PNG"),
        ("L", "JPEG"),
        ("1", "PNG"),
        ("1", "TIFF"),
        ("P", "PNG"),
        ("P", "BMP"),
        ("CMYK", "JPEG"),
        ("CMYK", "TIFF"),
    ],
)
def test_every_mode_becomes_rgb(mode: str, format_: str) -> None:
    image = drawn(mode)
    assert near(opened(saved(image, format_)), image, 12)


@pytest.mark.parametrize(("mode", "format_"), [("RGBA", "PNG"), ("RGBA", "WEBP"), ("RGBA", "TIFF"), ("LA", "PNG")])
def test_transparency_is_laid_on_white(mode: str, format_: str) -> None:
    image = drawn(mode)
    alpha = Image.new("L", image.size, 255)
    alpha.paste(0, (20, 0, 40, 24))
    image.putalpha(alpha)
    pixels = opened(saved(image, format_, lossless=True) if format_ == "WEBP" else saved(image, format_))
    assert near(pixels[:, 20:], Image.new("RGB", (20, 24), WHITE))
    assert near(pixels[:, :20], drawn(mode).crop((0, 0, 20, 24)))


@pytest.mark.parametrize(("mode", "transparent"), [("P", 0), ("P", b"\0\x80"), ("L", 0), ("RGB", (0, 0, 0))])
def test_transparent_colours_are_laid_on_white(mode: str, transparent: Any) -> None:
    image = Image.new(mode, (6, 4), 0)
    assert near(opened(saved(image, "PNG", transparency=transparent)), Image.new("RGB", (6, 4), WHITE))


def test_half_transparent_black_on_white_is_grey() -> None:
    pixels = opened(saved(Image.new("RGBA", (3, 3), (0, 0, 0, 128)), "PNG"))
    assert set(pixels.ravel().tolist()) == {127}


@pytest.mark.parametrize("format_", ["PNG", "TIFF"])
def test_16_bit_greys_are_scaled_not_clipped(format_: str) -> None:
    deep = np.array([[0, 257, 32_768, 65_535]], np.uint16)
    pixels = opened(saved(Image.fromarray(deep), format_))
    assert pixels[0, :, 0].tolist() == [0, 1, 128, 255]


def test_16_bit_colours_are_scaled_not_clipped() -> None:
    rows = b"\0" + struct.pack(">6H", 0, 32_768, 65_535, 257, 65_535, 0)
    assert opened(png(width=2, height=1, bits=16, colour=2, rows=rows)).tolist() == [[[0, 128, 255], [1, 255, 0]]]


@pytest.mark.parametrize(
    ("values", "greys"),
    [
        (np.array([[0.0, 0.5, 1.0, np.nan]], np.float32), [0, 128, 255, 0]),
        (np.array([[-10.0, 0.0, 10.0, np.inf]], np.float32), [0, 128, 255, 128]),
        (np.array([[0, 65_535, 32_768, 257]], np.int32), [0, 255, 128, 1]),
        (np.array([[0, 0, 0, 0]], np.int32), [0, 0, 0, 0]),
    ],
)
def test_deeper_greys_are_scaled_to_what_they_use(values: Any, greys: list[int]) -> None:
    assert opened(saved(Image.fromarray(values), "TIFF"))[0, :, 0].tolist() == greys


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_pictures_are_turned_upright(format_: str, turn: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    back = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    lying = drawn().transpose(back[turn]) if turn in back else drawn()
    quality: dict[str, Any] = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"lossless": True}}
    reduced = decode_reduced(saved(lying, format_, exif=exif, **quality.get(format_, {})), needed_px=None, **LIMITS)
    assert near(reduced.pixels, drawn(), 12)
    assert (reduced.width, reduced.height) == (40, 24)


@pytest.mark.parametrize("exif", [b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0XX", b"junk" * 30])
def test_broken_metadata_is_no_reason_to_refuse_a_picture(exif: bytes) -> None:
    assert near(opened(saved(drawn(), "JPEG", exif=exif, quality=95, subsampling=0)), drawn(), 12)


def test_a_gif_shows_its_first_frame() -> None:
    later = Image.new("RGB", (40, 24), (0, 0, 255))
    assert near(opened(saved(drawn(), "GIF", save_all=True, append_images=[later])), drawn())


def test_a_large_jpeg_may_come_reduced_but_keeps_what_is_needed_and_its_size() -> None:
    data = saved(drawn(size=(800, 600)), "JPEG", quality=95)
    reduced = decode_reduced(data, needed_px=100, **LIMITS)
    assert (reduced.width, reduced.height) == (800, 600)
    assert 100 <= min(reduced.pixels.shape[:2]) < 300
    assert decode_reduced(data, needed_px=301, **LIMITS).pixels.shape == (600, 800, 3)


def test_a_path_is_read(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(saved(drawn(), "PNG"))
    assert near(decode(path, **LIMITS), drawn())
    with pytest.raises(BadPicture, match="cannot be opened"):
        decode(tmp_path / "missing.png", **LIMITS)
    with pytest.raises(BadPicture, match="cannot be opened"):
        decode(tmp_path, **LIMITS)


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
@pytest.mark.parametrize("kept", [0.02, 0.3, 0.6, 0.9])
def test_a_file_that_was_cut_off_is_refused(format_: str, kept: float) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8))
    data = saved(noise, format_)
    with pytest.raises(BadPicture, match=r"cut off|damaged|header"):
        opened(data[: int(len(data) * kept)])


def test_reasons_are_for_people() -> None:
    for data, reason in (
        (b"", "empty file"),
        (b"PK\x03\x04 a zip file", "not a picture (starts with b'PK\\x03\\x04 a z')"),
        (b"RIFF\x04\0\0\0WAVEfmt ", "not a picture (starts with b'RIFF"),
        (saved(drawn(), "JPEG")[:300], "JPEG cut off after 300 bytes"),
        (b"\xff\xd8\xff", "damaged JPEG: its header cannot be read (3 bytes)"),
        (saved(drawn(), "ICO"), "not a picture (starts with b'\\x00\\x00\\x01"),
    ):
        with pytest.raises(BadPicture) as caught:
            opened(data)
        assert caught.value.detail.startswith(reason)


def png(*, width: int, height: int, bits: int = 8, colour: int = 2, rows: bytes = b"") -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_a_bomb_is_refused_by_its_header() -> None:
    bombs = [png(width=12_000, height=10_000), saved(Image.new("1", (20_000, 20_000)), "TIFF", compression="group4")]
    bombs += [saved(Image.new("L", (1_200, 1_200)), format_) for format_ in ("JPEG", "WEBP", "GIF")]
    for bomb in bombs:
        with pytest.raises(PictureTooLarge, match="pixels; at most 1,000,000"):
            opened(bomb)
    with pytest.raises(PictureTooLarge, match="12,000 × 10,000 pixels; at most 1,000,000"):
        opened(bombs[0])


def test_a_file_over_the_byte_limit_is_refused(tmp_path: Path) -> None:
    data = saved(drawn(), "PNG")
    path = tmp_path / "big.png"
    path.write_bytes(data)
    for source in (data, path):
        with pytest.raises(PictureTooLarge, match="more than 50 bytes"):
            decode(source, max_pixels=10**6, max_bytes=50)


def test_a_text_bomb_in_a_png_is_refused() -> None:
    body = b"Comment\0\0" + zlib.compress(b"a" * 5_000_000)
    chunk = struct.pack(">I", len(body)) + b"zTXt" + body + struct.pack(">I", zlib.crc32(b"zTXt" + body))
    plain = saved(drawn(), "PNG")
    with pytest.raises(BadPicture):
        opened(plain[:33] + chunk + plain[33:])


def test_threads_decode_beside_one_another() -> None:
    files = [saved(drawn(), format_) for format_ in ("PNG", "JPEG", "TIFF", "WEBP", "GIF", "BMP")] * 20
    with ThreadPoolExecutor(8) as pool:
        assert all(pixels.shape == (24, 40, 3) for pixels in pool.map(opened, files))


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=200))
def test_random_bytes_are_bad_pictures(data: bytes) -> None:
    with pytest.raises(BadPicture):
        opened(data)


GOOD = {
    format_: saved(drawn(), format_, **({"exif": Image.Exif().tobytes()} if format_ in {"JPEG", "PNG"} else {}))
    for format_ in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
}


@pytest.mark.parametrize("format_", GOOD)
@settings(max_examples=150, deadline=None)
@given(changes=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=8))
def test_a_damaged_file_gives_pixels_or_a_bad_picture_and_never_a_warning(
    format_: str, changes: list[tuple[int, int]]
) -> None:
    data = bytearray(GOOD[format_])
    for place, value in changes:
        data[place % len(data)] = value
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with contextlib.suppress(BadPicture):
            assert opened(bytes(data)).shape[2] == 3
