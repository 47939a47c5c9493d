import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from shared.errors import BadPicture
from tests.workers.ingest.jpegs import jpeg
from workers.ingest.decode import decode_reduced
from workers.ingest.whole_jpegs import whole_jpeg

KINDS: list[dict[str, Any]] = [
    {},
    {"subsampling": 0},
    {"subsampling": 1},
    {"mode": "L"},
    {"progressive": True},
    {"optimize": True},
    {"restart_marker_blocks": 3},
    {"turn": 6},
    {"comment": b"\xff\xd9 is no end in here"},
]


def small(**kind: Any) -> bytes:
    return jpeg(60, 90, **kind)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_whole_one_of_a_usual_kind_is_known(kind: dict[str, Any]) -> None:
    found = whole_jpeg(small(**kind))
    assert found is not None
    assert (found.width, found.height, found.turn) == (90, 60, kind.get("turn", 1))
    assert found.has_less_colour == (kind.get("mode") != "L" and kind.get("subsampling") != 0)
    assert found.data.tobytes() == small(**kind)


@pytest.mark.parametrize("kind", [{"mode": "CMYK"}, {"keep_rgb": True}], ids=str)
def test_one_of_another_kind_is_not(kind: dict[str, Any]) -> None:
    assert whole_jpeg(small(**kind)) is None


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_one_that_was_cut_off_is_not(kind: dict[str, Any]) -> None:
    data = small(**kind)
    assert [end for end in range(len(data)) if whole_jpeg(data[:end]) is not None] == []


def test_one_with_noise_in_it_is_not() -> None:
    data = jpeg(600, 800, quality=95)
    noise = np.random.default_rng(0).bytes(len(data) // 2)
    assert whole_jpeg(data[:1_000] + noise + data[1_000 + len(noise) :]) is None


def test_what_cameras_append_is_left_away_and_anything_else_is_doubtful() -> None:
    data = small()
    found = whole_jpeg(data + small(turn=6))
    assert found is not None
    assert (found.data.tobytes(), found.turn) == (data, 1)
    assert whole_jpeg(data + b"and more") is None


def test_another_format_is_none() -> None:
    file = io.BytesIO()
    Image.new("RGB", (9, 9)).save(file, "PNG")
    for data in (b"", b"\xff\xd8\xff", file.getvalue()):
        assert whole_jpeg(data) is None


@settings(max_examples=300, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=3),
    in_head=st.booleans(),
    left_out=st.none() | st.tuples(st.floats(0, 1), st.integers(1, 300)),
)
def test_what_the_cpu_refuses_is_never_called_whole(
    kind: dict[str, Any], changes: list[tuple[float, int]], in_head: bool, left_out: tuple[float, int] | None
) -> None:
    data = bytearray(small(**kind))
    for where, value in changes:
        data[int(where * (700 if in_head else len(data)))] = value
    if left_out is not None:
        first = int(left_out[0] * len(data))
        del data[first : first + left_out[1]]
    if whole_jpeg(bytes(data)) is not None:
        try:
            decode_reduced(bytes(data), max_pixels=10**10, max_bytes=10**6, needed_px=None)
        except BadPicture as error:
            pytest.fail(f"{error.detail}")
