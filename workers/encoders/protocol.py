"""What an encoder does for Clipline."""

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec
import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float32]  # (n, dim), rows of unit length
Pixels = npt.NDArray[np.uint8]  # (height, width, 3), RGB
Tokens = npt.NDArray[np.int64]  # (context_length,)


class EncoderInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What the fleet tells about a loaded model. `fingerprint` changes whenever vectors would not be comparable."""

    model: str
    fingerprint: str
    dim: int
    image_size: tuple[int, int]
    context_length: int
    device: str
    precision: str


class Encoder(Protocol):
    """Turns sentences and pictures into comparable unit vectors.

    `encode_*` run on the device and belong to its one owner thread; `tokenize` and `preprocess` are pure CPU work that
    any thread may do.
    """

    info: EncoderInfo

    def tokenize(self, text: str) -> tuple[Tokens, bool]:
        """Token ids padded to the context length, and whether the model's context cut the text."""

    @property
    def preprocess(self) -> Callable[[Pixels], Pixels]:
        """Resizes and crops to the model's input: (height, width, 3) of any size → `image_size` × 3, uint8.

        May be pickled, for another process to do it.
        """

    def memory_bytes(self) -> dict[str, int]:
        """The device's memory, by kind: allocated, reserved, free, total; empty for a CPU."""

    def encode_texts(self, tokens: Sequence[Tokens]) -> Matrix:
        """(n, dim), float32."""

    def encode_images(self, images: Sequence[Pixels]) -> Matrix:
        """Preprocessed pictures → (n, dim), float32; normalised with the model's mean and deviation on the device."""


class Replica(Encoder, Protocol):
    """One of several that hold the same model, with as many `threads` as it is told."""

    threads: int


def replicas_of(encoder: Encoder) -> Sequence[Replica]:
    """Of one that is several: all together, or each by itself on a thread of its own, never both at once. Else none."""
    found: Sequence[Replica] = getattr(encoder, "replicas", ())
    return found
