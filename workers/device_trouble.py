"""Tells from what a model raised whether its device lacks memory, or does not work any more."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from shared.errors import EncoderAway

Trouble = Literal["memory", "device"]

# torch raises plain RuntimeErrors for a CPU's allocator and for older CUDA builds, so the words must tell.
MEMORY_WORDS = ("out of memory", "can't allocate memory", "cannot allocate memory", "failed to allocate")
DEVICE_WORDS = ("cuda error", "cublas_status", "cudnn_status", "cudnn error", "nccl error", "hip error", "device-side")


class DeviceFailed(Exception):
    """The device does not work: its worker hands back what it holds and ends.

    `on_device`: this request was with the device when it failed, and may be what it failed of.
    """

    def __init__(self, text: str, *, on_device: bool = False) -> None:
        super().__init__(text)
        self.on_device = on_device


def trouble(error: BaseException) -> Trouble | None:
    """None for what is the fault of the request, or unknown."""
    names = {one.__name__ for one in type(error).__mro__}
    if "ReplicaDied" in names:
        return "device"
    words = str(error).lower()
    if names & {"OutOfMemoryError", "MemoryError"}:
        return "memory"
    if "RuntimeError" not in names:
        return None
    # "CUDA error: out of memory" is about memory, so this comes first.
    if any(one in words for one in MEMORY_WORDS):
        return "memory"
    if "AcceleratorError" in names or any(one in words for one in DEVICE_WORDS):
        return "device"
    return None


@contextmanager
def starting(model: str) -> Iterator[None]:
    """Around the first use of a model: a device without room for it, or that breaks with it, is DeviceFailed."""
    try:
        yield
    except Exception as error:
        if trouble(error) is None and not isinstance(error, EncoderAway | DeviceFailed):
            raise
        raise DeviceFailed(f"{model}: {str(error).splitlines()[0]}") from error


def as_exception(error: BaseException) -> Exception:
    """What a job can fail of: a panic of a library in Rust is no Exception, and would end the thread that meets it."""
    return error if isinstance(error, Exception) else RuntimeError(f"{type(error).__name__}: {error}")
