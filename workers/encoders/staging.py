"""Pictures on their way to a GPU: copied from pinned memory beside the computing of those before them.

This has not run on a GPU yet.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from workers.encoders.protocol import Pixels

# Large enough to keep a GPU busy, small enough that the first copy, which nothing overlaps, is short.
CHUNK = 32


class Staging:
    """Two pinned buffers and a stream of copies of their own; belongs to the device's owner thread."""

    def __init__(self, size: tuple[int, int], *, device: torch.device) -> None:
        self._device = device
        self._copies: Any = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._buffers = [torch.empty((CHUNK, *size, 3), dtype=torch.uint8, pin_memory=True) for _ in range(2)]
        self._copied: list[Any] = [torch.cuda.Event() for _ in self._buffers]  # type: ignore[no-untyped-call]

    def run(self, images: Sequence[Pixels], encode: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        """`encode` takes (n, height, width, 3) uint8 on the device, chunk by chunk → all of its (n, dim)."""
        chunks = [images[first : first + CHUNK] for first in range(0, len(images), CHUNK)]
        return torch.cat([encode(self._sent(chunk, turn % 2)) for turn, chunk in enumerate(chunks)])

    def _sent(self, chunk: Sequence[Pixels], turn: int) -> torch.Tensor:
        """Launches are asynchronous, so the host is here again while the device computes the chunk before."""
        self._copied[turn].synchronize()
        buffer = self._buffers[turn][: len(chunk)]
        np.stack(chunk, out=buffer.numpy())
        current = torch.cuda.current_stream(self._device)
        with torch.cuda.stream(self._copies):
            sent = buffer.to(self._device, non_blocking=True)
            self._copied[turn].record()
        current.wait_stream(self._copies)
        # Its memory is not given to the next copy before this stream has done with it.
        sent.record_stream(current)
        return sent
