"""Work for a GPU, recorded once as a CUDA graph and started as a whole from then on.

An encoder is some hundred small kernels, and starting them one by one costs the host more time than a small batch costs
the GPU: on an H200 one text through ViT-B-32 takes 2.3 ms, as a graph 0.5 (bench/RESULTS.md). A graph has fixed shapes
and addresses: its inputs and its result lie in buffers of their own.
"""

import logging
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Generic, TypeVar

import torch

logger = logging.getLogger(__name__)

K = TypeVar("K", bound=Hashable)
G = TypeVar("G")

# Kernels choose their algorithms and reserve memory in the first runs, which may not happen while one is captured.
WARM_RUNS = 3


class Capture:
    """A run of `work` over `inputs`, which are on the device; the result is valid until the next run of any capture
    with the same pool. Raises RuntimeError, OutOfMemoryError among them, where `work` cannot be captured.
    """

    def __init__(self, work: Callable[..., torch.Tensor], inputs: Sequence[torch.Tensor], *, pool: Any) -> None:
        self.inputs = inputs
        device = inputs[0].device
        # A capture begins on the device that the thread is at.
        with torch.cuda.device(device):
            stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
            stream.wait_stream(torch.cuda.current_stream(device))
            with torch.cuda.stream(stream):
                for _ in range(WARM_RUNS):
                    work(*inputs)
                self._graph, self._result = _captured(work, inputs, pool)
            torch.cuda.current_stream(device).wait_stream(stream)

    def __call__(self) -> torch.Tensor:
        self._graph.replay()
        return self._result


class Captures(Generic[K, G]):
    """A graph for each size, made when it is first asked for."""

    def __init__(self, make: Callable[[K], G], *, of: str) -> None:
        self._make, self._of = make, of
        self._made: dict[K, G | None] = {}

    def get(self, size: K) -> G | None:
        """None for what cannot be captured, which is told once."""
        if size not in self._made:
            try:
                self._made[size] = self._make(size)
            except RuntimeError as error:
                logger.warning("no CUDA graph for %s %s: %s", size, self._of, error)
                self._made[size] = None
        return self._made[size]


def _captured(work: Callable[..., torch.Tensor], inputs: Sequence[torch.Tensor], pool: Any) -> tuple[Any, torch.Tensor]:
    """On the current stream. `torch.cuda.graph` would collect all garbage first, again and again."""
    torch.cuda.current_stream().synchronize()
    graph = torch.cuda.CUDAGraph()
    # Other threads may use the device meanwhile, though not for this work.
    graph.capture_begin(pool=pool, capture_error_mode="thread_local")
    try:
        result = work(*inputs)
    finally:
        graph.capture_end()
    return graph, result


def pool_of_captures() -> Any:
    """Memory for captures that never run at the same time."""
    return torch.cuda.graph_pool_handle()
