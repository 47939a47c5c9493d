"""Encoders over devices that lack memory, or break: the real model, and errors as torch raises them."""

import threading
from collections.abc import Callable, Sequence

import torch

from tests.workers.wrapped import Wrapped
from workers.encoders.protocol import Encoder, Matrix, Pixels, Tokens

# What no machine has: torch's own allocator refuses it.
TOO_MUCH = 2**60
# Longer than any test.
HANGS_S = 600.0


def cpu_runs_out() -> None:
    torch.empty(TOO_MUCH, dtype=torch.uint8)


def cuda_runs_out() -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")


def old_cuda_runs_out() -> None:
    raise RuntimeError("CUDA error: out of memory")


def numpy_runs_out() -> None:
    raise MemoryError("Unable to allocate 64. GiB for an array")


def cuda_breaks() -> None:
    raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered")


def cublas_breaks() -> None:
    raise RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasGemmEx`")


class Device(Wrapped):
    """The encoder that it is given, on a device that `check` may refuse a batch of so many items."""

    def __init__(self, encoder: Encoder, check: Callable[[int], None]) -> None:
        super().__init__(encoder)
        self._check = check
        self.sizes: list[int] = []

    def encode_texts(self, tokens: Sequence[Tokens]) -> Matrix:
        self._pass(len(tokens))
        return self._encoder.encode_texts(tokens)

    def encode_images(self, images: Sequence[Pixels]) -> Matrix:
        self._pass(len(images))
        return self._encoder.encode_images(images)

    def _pass(self, items: int) -> None:
        self.sizes.append(items)
        self._check(items)


class Hanging(Device):
    """One that neither ends a batch nor raises anything, but while it `works`."""

    def __init__(self, encoder: Encoder) -> None:
        self.works = threading.Event()
        self.works.set()
        super().__init__(encoder, self._wait)

    def _wait(self, _: int) -> None:
        self.works.wait(HANGS_S)


def holds(most: int, run_out: Callable[[], None]) -> Callable[[int], None]:
    """Memory for so many items."""

    def check(items: int) -> None:
        if items > most:
            run_out()

    return check
