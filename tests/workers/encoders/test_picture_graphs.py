"""What of the pictures' CUDA graphs does not need CUDA: sizes, filling up, and what happens where none can be had."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from workers.encoders.picture_graphs import Captured, GraphedPictures, size_for
from workers.encoders.staging import CHUNK

SHAPE = (4, 6, 3)


def encode(pixels: torch.Tensor) -> torch.Tensor:
    """(n, 2), each row of its own picture alone."""
    flat = pixels.flatten(1).double()
    return torch.stack([flat.sum(dim=1), flat[:, 0] - flat[:, -1]], dim=1)


class Replayed:
    """As captured graphs do, each runs over its own input and writes over its last result."""

    def __init__(self, size: int, *, may_be_filled: bool) -> None:
        self.may_be_filled, self.ran = may_be_filled, 0
        self._taken = torch.zeros((size, *SHAPE), dtype=torch.uint8)
        self._given = torch.zeros((size, 2), dtype=torch.double)

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        self.ran += 1
        self._taken[: len(pixels)].copy_(pixels)
        return self._given.copy_(encode(self._taken))


class Recorder:
    """Captures; only graphs of up to `fills` pictures may be filled."""

    def __init__(self, *, fills: int = CHUNK) -> None:
        self.fills = fills
        self.made: dict[int, Replayed] = {}

    def __call__(self, size: int) -> Replayed:
        assert size not in self.made, "each size is captured once"
        self.made[size] = Replayed(size, may_be_filled=size <= self.fills)
        return self.made[size]


def pictures(count: int) -> torch.Tensor:
    return torch.randint(0, 256, (count, *SHAPE), dtype=torch.uint8)


@given(count=st.integers(1, 2 * CHUNK))
def test_up_to_a_chunk_there_is_a_graph_less_than_twice_as_large(count: int) -> None:
    size = size_for(count)
    if count <= CHUNK:
        assert size is not None
        assert size >= count > size // 2
    else:
        assert size is None


@given(counts=st.lists(st.integers(1, CHUNK), min_size=1, max_size=12), fills=st.integers(0, CHUNK))
def test_each_picture_keeps_its_vector_whatever_came_before_and_after(counts: list[int], fills: int) -> None:
    graphed = GraphedPictures(encode, capture=Recorder(fills=fills))
    batches = [pictures(count) for count in counts]
    found = [graphed(batch) for batch in batches]
    for vectors, batch in zip(found, batches, strict=True):
        assert torch.equal(vectors, encode(batch))


@pytest.mark.parametrize(("count", "ran"), [(8, 1), (5, 1), (16, 1), (9, 0), (CHUNK, 1), (CHUNK - 1, 0)])
def test_a_graph_that_is_not_worth_filling_runs_full_alone(count: int, ran: int) -> None:
    recorder = Recorder(fills=8)
    GraphedPictures(encode, capture=recorder)(pictures(count))
    [made] = recorder.made.values()
    assert made.ran == ran


def test_what_cannot_be_captured_runs_eagerly(caplog: pytest.LogCaptureFixture) -> None:
    def fails(size: int) -> Captured:
        raise RuntimeError(f"no memory for {size}")

    graphed = GraphedPictures(encode, capture=fails)
    batch = pictures(3)
    for _ in range(2):
        assert torch.equal(graphed(batch), encode(batch))
    assert caplog.text.count("no memory for 4") == 1
