"""What of the pictures' CUDA graphs does not need CUDA: sizes, filling up, and what happens where none can be had."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from workers.encoders.picture_graphs import FEW, Encode, GraphedPictures, size_for
from workers.encoders.staging import CHUNK

SHAPE = (4, 6, 3)


def encode(pixels: torch.Tensor) -> torch.Tensor:
    """(n, 2), each row of its own picture alone."""
    flat = pixels.flatten(1).double()
    return torch.stack([flat.sum(dim=1), flat[:, 0] - flat[:, -1]], dim=1)


class Recorder:
    """As captured graphs do, each runs over its own input and writes over its last result."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def __call__(self, size: int) -> Encode:
        self.sizes.append(size)
        taken, given = torch.zeros((size, *SHAPE), dtype=torch.uint8), torch.zeros((size, 2), dtype=torch.double)

        def run(pixels: torch.Tensor) -> torch.Tensor:
            taken[: len(pixels)].copy_(pixels)
            return given.copy_(encode(taken))

        return run


def pictures(count: int) -> torch.Tensor:
    return torch.randint(0, 256, (count, *SHAPE), dtype=torch.uint8)


@given(count=st.integers(1, 2 * CHUNK))
def test_few_pictures_and_whole_chunks_have_a_graph(count: int) -> None:
    size = size_for(count)
    if count <= FEW:
        assert size is not None
        assert size >= count > size // 2
    else:
        assert size == (CHUNK if count == CHUNK else None)


@given(counts=st.lists(st.integers(1, CHUNK), min_size=1, max_size=12))
def test_each_picture_keeps_its_vector_whatever_came_before_and_after(counts: list[int]) -> None:
    recorder = Recorder()
    graphed = GraphedPictures(encode, capture=recorder)
    batches = [pictures(count) for count in counts]
    found = [graphed(batch) for batch in batches]
    for vectors, batch in zip(found, batches, strict=True):
        assert torch.equal(vectors, encode(batch))
    assert len(recorder.sizes) == len(set(recorder.sizes)), "each size is captured once"


def test_what_cannot_be_captured_runs_eagerly(caplog: pytest.LogCaptureFixture) -> None:
    def fails(size: int) -> Encode:
        raise RuntimeError(f"no memory for {size}")

    graphed = GraphedPictures(encode, capture=fails)
    batch = pictures(3)
    for _ in range(2):
        assert torch.equal(graphed(batch), encode(batch))
    assert caplog.text.count("no memory for 4") == 1
