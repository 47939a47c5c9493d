"""Pictures on their way to a GPU: copied from pinned memory beside the computing of those before them."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import torch

from workers.encoders.protocol import Pixels

# Large enough to keep a GPU busy: of 32, 64, 128 and 256 the quickest on an H200, by 2.3 times before 32. The first
# copy, which nothing overlaps, takes 0.4 ms there.
CHUNK = 128
# One buffer is filled while the other is being copied.
TURNS = 2


class Copies(Protocol):
    """The way to a device: one copy may be under way for each turn."""

    def buffer(self, shape: tuple[int, ...]) -> torch.Tensor:
        """Memory of the host, uint8, to copy from."""

    def wait(self, turn: int) -> None:
        """Until what was sent last in that turn has been read, so that its buffer may be filled again."""

    def send(self, pixels: torch.Tensor, turn: int) -> torch.Tensor:
        """The same on the device, for whatever is computed there from now on; the host does not wait."""


class CudaCopies:
    """Pinned memory, and a stream of copies of their own."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream: Any = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._copied: list[Any] = [torch.cuda.Event() for _ in range(TURNS)]  # type: ignore[no-untyped-call]

    def buffer(self, shape: tuple[int, ...]) -> torch.Tensor:
        return torch.empty(shape, dtype=torch.uint8, pin_memory=True)

    def wait(self, turn: int) -> None:
        self._copied[turn].synchronize()

    def send(self, pixels: torch.Tensor, turn: int) -> torch.Tensor:
        current = torch.cuda.current_stream(self._device)
        with torch.cuda.stream(self._stream):
            sent = pixels.to(self._device, non_blocking=True)
            self._copied[turn].record()
        current.wait_stream(self._stream)
        # Its memory is not given to the next copy before this stream has done with it.
        sent.record_stream(current)
        return sent


class Staging:
    """Two buffers, filled in turn; belongs to the device's owner thread."""

    def __init__(self, size: tuple[int, int], *, copies: Copies) -> None:
        self._copies = copies
        self._buffers = [copies.buffer((CHUNK, *size, 3)) for _ in range(TURNS)]

    def run(self, images: Sequence[Pixels], encode: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        """`encode` takes (n, height, width, 3) uint8 on the device, chunk by chunk → all of its (n, dim)."""
        chunks = [images[first : first + CHUNK] for first in range(0, len(images), CHUNK)]
        return torch.cat([encode(self._sent(chunk, turn % TURNS)) for turn, chunk in enumerate(chunks)])

    def _sent(self, chunk: Sequence[Pixels], turn: int) -> torch.Tensor:
        """Launches are asynchronous, so the host is here again while the device computes the chunk before."""
        self._copies.wait(turn)
        buffer = self._buffers[turn][: len(chunk)]
        np.stack(chunk, out=buffer.numpy())
        return self._copies.send(buffer, turn)
