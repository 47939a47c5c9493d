"""CUDA graphs for a picture tower, one for each power of two up to a chunk.

Of a small model, starting the kernels takes longer than they run, up to a whole chunk: ViT-B-32 takes 3.4 ms for 16 to
64 pictures on an H100, and as a graph 0.7 to 1.8 (bench/RESULTS.md). Of a large one only few pictures do.
"""

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any, Protocol

import torch

from workers.encoders.captures import Capture, Captures, pool_of_captures
from workers.encoders.staging import CHUNK

# Filling a graph up computes pictures that nobody asked for, at most as many again: only where starting is what takes
# the time, and a graph so much less of it.
WORTHWHILE = 0.8

Encode = Callable[[torch.Tensor], torch.Tensor]  # (n, height, width, 3), uint8, on the device → (n, dim)


class Captured(Protocol):
    """For one number of pictures. `may_be_filled`: whether it pays for fewer."""

    may_be_filled: bool

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        """Of at most as many pictures as were captured → (captured, dim), valid until the next call."""


def size_for(pictures: int) -> int | None:
    """Of the graph that takes so many; None for more than a chunk."""
    return 1 << (pictures - 1).bit_length() if pictures <= CHUNK else None


class Graph:
    """`encode`, captured for one number of pictures, and timed beside starting its kernels one by one."""

    def __init__(self, encode: Encode, shape: Sequence[int], *, device: torch.device, pool: Any) -> None:
        pixels = torch.zeros(tuple(shape), dtype=torch.uint8, device=device)
        self._run = Capture(encode, [pixels], pool=pool)
        self.may_be_filled = _took_s(self._run, device) < WORTHWHILE * _took_s(lambda: encode(pixels), device)

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        # Those of an earlier call fill it up.
        self._run.inputs[0][: len(pixels)].copy_(pixels)
        return self._run()


class GraphedPictures:
    """Captures a graph when it first meets a size; what cannot be captured, or is not worth filling, runs eagerly."""

    def __init__(self, encode: Encode, *, capture: Callable[[int], Captured]) -> None:
        self._encode, self._graphs = encode, Captures(capture, of="pictures")

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        """(n, height, width, 3), uint8, on the device → (n, dim), not normalised."""
        size = size_for(len(pixels))
        graph = None if size is None else self._graphs.get(size)
        if graph is None or (len(pixels) != size and not graph.may_be_filled):
            return self._encode(pixels)
        # The next call writes over a graph's output.
        return graph(pixels)[: len(pixels)].clone()


def on_cuda(encode: Encode, size: tuple[int, int], *, device: torch.device) -> GraphedPictures:
    """`size` is a picture's height and width. Graphs share one memory pool, since they never run at the same time."""
    pool = pool_of_captures()
    return GraphedPictures(encode, capture=lambda count: Graph(encode, (count, *size, 3), device=device, pool=pool))


def _took_s(run: Callable[[], torch.Tensor], device: torch.device) -> float:
    torch.cuda.synchronize(device)
    began = perf_counter()
    run()
    torch.cuda.synchronize(device)
    return perf_counter() - began
