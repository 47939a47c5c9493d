"""Which device and number format a model runs with, and how many threads it takes."""

import logging
import time

import torch
from torch.nn import functional

from shared.settings import Settings, SettingsError
from workers.device_trouble import DeviceFailed, trouble
from workers.executors import computing_threads

logger = logging.getLogger(__name__)

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
# bf16 costs exactness, so it must be clearly faster than fp32 before it is chosen.
WORTHWHILE = 1.3
PROBE_ROUNDS = 25
# What CUDA says of a number beyond those that it has.
NO_SUCH_DEVICE = "invalid device ordinal"


def choose_device(settings: Settings) -> torch.device:
    """`auto` takes CUDA before Apple's MPS before the CPU.

    Raises SettingsError for a device that is not there, DeviceFailed for one that is and does not work.
    """
    # Or a convolution in fp32 has the exactness of 10 bits.
    torch.backends.cudnn.allow_tf32 = False
    if settings.device == "auto":
        return torch.device(_best_device())
    try:
        device = torch.device(settings.device)
        # And back: `meta` takes everything and gives nothing.
        torch.empty(1, device=device).cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        first_line = str(error).partition("\n")[0]
        if trouble(error) is not None and NO_SUCH_DEVICE not in first_line:
            raise DeviceFailed(f"{settings.device}: {first_line}") from error
        raise SettingsError(f"CLIPLINE_DEVICE={settings.device!r}: {first_line}") from error
    return device


def _best_device() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def choose_precision(settings: Settings, device: torch.device) -> str:
    """`auto` is fp16 on CUDA; on a CPU bf16 where it is clearly faster, which only measuring tells; else fp32."""
    if settings.precision != "auto":
        return settings.precision
    if device.type == "cuda":
        return "fp16"
    return "bf16" if device.type == "cpu" and bf16_is_faster() else "fp32"


def bf16_is_faster() -> bool:
    """Time a text block's widest product in both formats, in turns: about 50 ms in all. The quickest of each counts,
    since whatever else the machine does only slows them down."""
    fp32, bf16 = _operands(torch.float32), _operands(torch.bfloat16)
    pairs = [(_timed_s(*fp32), _timed_s(*bf16)) for _ in range(PROBE_ROUNDS)]
    fp32_s, bf16_s = min(one for one, _ in pairs), min(other for _, other in pairs)
    logger.debug("a 128×512×2048 product takes %.2f ms in fp32, %.2f ms in bf16", fp32_s * 1e3, bf16_s * 1e3)
    return bf16_s * WORTHWHILE < fp32_s


def _operands(dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.ones(128, 512, dtype=dtype), torch.ones(2048, 512, dtype=dtype)


def _timed_s(rows: torch.Tensor, weight: torch.Tensor) -> float:
    started = time.perf_counter()
    functional.linear(rows, weight)
    return time.perf_counter() - started


def size_threads(wanted: int) -> int:
    """Give torch `wanted` threads; 0: as many as it should have."""
    threads = computing_threads(wanted)
    torch.set_num_threads(threads)
    return threads


def settle_threads(device: torch.device, threads: int) -> int:
    """How many torch keeps once a model is loaded: with another device to compute, one for each thread that resizes
    pictures, or every such thread would start as many as the machine has."""
    if device.type != "cpu":
        threads = 1
        torch.set_num_threads(threads)
    return threads


def memory_bytes(device: torch.device) -> dict[str, int]:
    """Of this process (allocated, reserved) and of the whole device (free, total), where it tells; empty for a CPU."""
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        allocated, reserved = torch.cuda.memory_allocated(device), torch.cuda.memory_reserved(device)
        return {"allocated": allocated, "reserved": reserved, "free": free, "total": total}
    if device.type == "mps":
        return {"allocated": torch.mps.current_allocated_memory(), "reserved": torch.mps.driver_allocated_memory()}
    return {}
