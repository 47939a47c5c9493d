"""What encoding costs in multiplications and additions, and how many this machine does in a second."""

from collections.abc import Sequence
from time import perf_counter
from typing import Any

import numpy as np
import torch

from workers.encoders.device import DTYPES
from workers.encoders.products import product
from workers.encoders.text_rows import shared_rows

# Of a block's 12 width² weights, the last block needs those of keys and values for every row: 2 width².
WHOLE, KEYS_AND_VALUES = 12, 2
ROUNDS = 12


class Work:
    """FLOPs of the products over a text tower's rows; attention itself is left out, at these lengths below 1 %."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self._width, self._layers = model.transformer.width, model.transformer.layers
        self._projected = model.text_projection.shape[1]
        self._tokenizer = tokenizer

    def tokens(self, texts: Sequence[str]) -> float:
        """Per text, with the marks of its start and end."""
        return float(np.mean(self._ends(self._tokenizer(list(texts))) + 1))

    def own_flops(self, texts: Sequence[str]) -> float:
        """Per text, each at its own length and without a neighbour to share rows with."""
        return self._flops(self.tokens(texts), ends=1)

    def executed_flops(self, texts: Sequence[str], batch: int) -> float:
        """Per text, with rows shared within each batch."""
        rows = 0
        for first in range(0, len(texts), batch):
            ids = self._tokenizer(list(texts[first : first + batch])).numpy()
            rows += len(shared_rows(ids, self._ends(ids)).tokens)
        return self._flops(rows / len(texts), ends=1)

    def _flops(self, rows: float, *, ends: int) -> float:
        square = self._width**2
        for_all = (self._layers - 1) * WHOLE + KEYS_AND_VALUES
        at_ends = (WHOLE - KEYS_AND_VALUES) * square + self._width * self._projected
        return float(2 * (rows * for_all * square + ends * at_ends))

    def _ends(self, ids: Any) -> Any:
        return np.asarray(ids).argmax(axis=1)


def picture_flops(model: Any) -> float:
    """Per picture, all rows in every block but the last, which needs the class token alone."""
    visual = model.visual
    width, layers, rows = visual.transformer.width, visual.transformer.layers, visual.positional_embedding.shape[0]
    square = width**2
    patches = (rows - 1) * width * visual.conv1.weight[0].numel()
    blocks = rows * ((layers - 1) * WHOLE + KEYS_AND_VALUES) * square + (WHOLE - KEYS_AND_VALUES) * square
    return float(2 * (patches + blocks + width * visual.proj.shape[1]))


@torch.inference_mode()
def machine_rate(precision: str, device: torch.device) -> float:
    """FLOPs a second of large products in a number format, the best of several: what nothing here can exceed."""
    dtype = DTYPES[precision]
    # A GPU wants much larger ones than a CPU does before it shows what it can do.
    count, inner, outer = (1024, 1024, 4096) if device.type == "cpu" else (8192, 8192, 8192)
    rows, weight = torch.randn(count, inner, dtype=dtype).to(device), torch.randn(outer, inner)
    multiply = product(weight, None, device=device, dtype=dtype)
    best = min(_seconds(multiply, rows) for _ in range(ROUNDS))
    return 2 * count * inner * outer / best


def _seconds(multiply: Any, rows: torch.Tensor) -> float:
    _settle(rows.device)
    started = perf_counter()
    multiply(rows)
    _settle(rows.device)
    return perf_counter() - started


def _settle(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
