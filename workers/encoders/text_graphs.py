"""CUDA graphs for a text tower, one for each batch and length bucket: batches are padded to fill them."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from workers.encoders.captures import Capture, Captures, pool_of_captures
from workers.encoders.text_lean import LeanText
from workers.encoders.text_rows import Ids

LENGTHS = (8, 16, 24, 32, 48, 64)
LARGEST_BATCH = 512
# Of nearly all that people type; what is longer has its graph made when it first comes.
COMMON = 24


class Bucket(NamedTuple):
    """A graph's shape."""

    texts: int
    length: int


def bucket_of(texts: int, length: int, *, context: int) -> Bucket:
    """The smallest that holds so many texts of so many tokens: powers of two by `LENGTHS` and the whole context."""
    lengths = [*(known for known in LENGTHS if known < context), context]
    return Bucket(1 << (texts - 1).bit_length(), lengths[bisect_left(lengths, length)])


def fill(ids: Ids, ends: Ids, bucket: Bucket) -> tuple[Ids, Ids]:
    """(bucket.texts, bucket.length) ids and (bucket.texts,) ends: texts that are missing repeat the first token."""
    padded = np.zeros(bucket, dtype=np.int64)
    width = min(bucket.length, ids.shape[1])
    padded[: len(ids), :width] = ids[:, :width]
    padded[len(ids) :, 0] = ids[0, 0]
    return padded, np.pad(ends, (0, bucket.texts - len(ends)))


class Graph:
    """`LeanText.padded`, captured, with pinned buffers on the host for what it takes."""

    def __init__(self, tower: LeanText, bucket: Bucket, *, device: torch.device, pool: Any) -> None:
        shapes = (tuple(bucket), (bucket.texts,))
        self._host = [torch.zeros(shape, dtype=torch.int64, pin_memory=True) for shape in shapes]
        self._copied: Any = torch.cuda.Event()  # type: ignore[no-untyped-call]
        inputs = [torch.zeros(shape, dtype=torch.int64, device=device) for shape in shapes]
        self._run = Capture(tower.padded, inputs, pool=pool)

    def __call__(self, ids: Ids, ends: Ids) -> torch.Tensor:
        """As large as the bucket → (bucket.texts, dim), valid until the next call."""
        # What lies in pinned memory is read later, when the device comes to it.
        self._copied.synchronize()
        for host, on_device, values in zip(self._host, self._run.inputs, (ids, ends), strict=True):
            host.copy_(torch.from_numpy(values))
            on_device.copy_(host, non_blocking=True)
        self._copied.record(torch.cuda.current_stream(self._run.inputs[0].device))
        return self._run()


MakeGraph = Callable[[Bucket], Callable[[Ids, Ids], torch.Tensor]]


class GraphedText:
    """A lean text tower that captures a graph for each bucket that it meets; what cannot be captured runs eagerly."""

    def __init__(self, tower: LeanText, *, capture: MakeGraph) -> None:
        self._tower, self._graphs = tower, Captures(capture, of="texts")

    def __call__(self, ids: torch.Tensor) -> torch.Tensor:
        """(n, context), on the CPU → (n, dim), not normalised."""
        parts = [self._run(part) for part in torch.split(ids, LARGEST_BATCH)]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    @torch.inference_mode()
    def prepare(self, wanted: Iterable[Bucket]) -> None:
        """Capture them now; the largest first, whose memory then does for the others."""
        for bucket in sorted(wanted, reverse=True):
            self._graphs.get(bucket)

    def _run(self, ids: torch.Tensor) -> torch.Tensor:
        rows = ids.numpy()
        ends = self._tower.ends(rows)
        bucket = bucket_of(len(rows), int(ends.max()) + 1, context=self._tower.context)
        graph = self._graphs.get(bucket)
        if graph is None:
            return self._tower(ids)
        # The next call writes over a graph's output.
        return graph(*fill(rows, ends, bucket))[: len(rows)].clone()


def on_cuda(tower: LeanText, *, device: torch.device) -> GraphedText:
    """With the graphs of common buckets. They share one memory pool, since they never run at the same time."""
    pool = pool_of_captures()
    graphed = GraphedText(tower, capture=lambda bucket: Graph(tower, bucket, device=device, pool=pool))
    graphed.prepare(bucket for bucket in buckets(tower.context) if bucket.length <= COMMON)
    return graphed


def buckets(context: int) -> Sequence[Bucket]:
    """All that there can be."""
    lengths = [*(known for known in LENGTHS if known < context), context]
    return [Bucket(1 << power, length) for power in range(LARGEST_BATCH.bit_length()) for length in lengths]
