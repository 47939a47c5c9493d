"""CUDA graphs for a picture tower, where starting its kernels is what takes time: few pictures, and full chunks.

What is between is computed as it is: filled up to the next size it would cost a GPU more than the starts do.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from workers.encoders.captures import Capture, Captures, pool_of_captures
from workers.encoders.staging import CHUNK

# Up to so many pictures a GPU has time left while the host starts the next kernel.
FEW = 8

Encode = Callable[[torch.Tensor], torch.Tensor]  # (n, height, width, 3), uint8, on the device → (n, dim)


def size_for(pictures: int) -> int | None:
    """Of the graph that takes so many: powers of two up to `FEW`, and a whole chunk; None for those between."""
    if pictures <= FEW:
        return 1 << (pictures - 1).bit_length()
    return CHUNK if pictures == CHUNK else None


class Graph:
    """`encode`, captured for one number of pictures."""

    def __init__(self, encode: Encode, shape: Sequence[int], *, device: torch.device, pool: Any) -> None:
        self._run = Capture(encode, [torch.zeros(tuple(shape), dtype=torch.uint8, device=device)], pool=pool)

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        """Of at most as many pictures as were captured → (captured, dim), valid until the next call."""
        # Those of an earlier call fill it up.
        self._run.inputs[0][: len(pixels)].copy_(pixels)
        return self._run()


class GraphedPictures:
    """Captures a graph when it first meets a size; what cannot be captured runs eagerly."""

    def __init__(self, encode: Encode, *, capture: Callable[[int], Encode]) -> None:
        self._encode, self._graphs = encode, Captures(capture, of="pictures")

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        """(n, height, width, 3), uint8, on the device → (n, dim), not normalised."""
        size = size_for(len(pixels))
        graph = None if size is None else self._graphs.get(size)
        if graph is None:
            return self._encode(pixels)
        # The next call writes over a graph's output.
        return graph(pixels)[: len(pixels)].clone()


def on_cuda(encode: Encode, size: tuple[int, int], *, device: torch.device) -> GraphedPictures:
    """`size` is a picture's height and width. Graphs share one memory pool, since they never run at the same time."""
    pool = pool_of_captures()
    return GraphedPictures(encode, capture=lambda count: Graph(encode, (count, *size, 3), device=device, pool=pool))
