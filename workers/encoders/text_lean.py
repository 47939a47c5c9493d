"""A causal text tower over the rows that its results depend on, and no others."""

from typing import Any

import numpy as np
import torch
from torch import nn

from workers.encoders.blocks import Blocks, Norm, fits
from workers.encoders.text_rows import Ids, Rows, padded_rows, shared_rows
from workers.encoders.text_truncation import eos_id, may_truncate, text_tower

# Attention still works on texts × longest: a batch is split where that would be this many times what its texts fill.
SPARSE = 3


class LeanText:
    """The text tower of open_clip's `CLIP` and `CustomTextCLIP`, its weights laid out for one device and precision."""

    def __init__(self, model: nn.Module, *, device: torch.device, dtype: torch.dtype, may_pack: bool = True) -> None:
        tower = text_tower(model)
        self.context = len(tower.positional_embedding)
        self._device = device
        self._eos_id = eos_id(model)
        self._tokens = tower.token_embedding.weight.to(device, dtype)  # (vocabulary, width)
        self._positions = tower.positional_embedding.to(device, dtype)  # (context, width)
        self._blocks = Blocks(tower.transformer, device=device, dtype=dtype, may_pack=may_pack, ends_only=True)
        self._norm = Norm(tower.ln_final, device=device, dtype=dtype)
        self._projection = Projection(tower.text_projection, device=device, dtype=dtype)

    def __call__(self, ids: torch.Tensor) -> torch.Tensor:
        """(n, context), on the CPU → (n, dim), not normalised."""
        rows = ids.numpy()
        ends = self.ends(rows)
        if self._device.type != "cpu":
            # A row for each position, since a device has products to spare and launches are what it waits for.
            length = int(ends.max()) + 1
            return self.padded(ids[:, :length].to(self._device), torch.from_numpy(ends).to(self._device))
        parts = [(part, self._run(shared_rows(rows[part], ends[part]))) for part in by_length(ends)]
        if len(parts) == 1:
            return parts[0][1]
        order = np.concatenate([part for part, _ in parts])
        return torch.cat([vectors for _, vectors in parts])[torch.from_numpy(np.argsort(order))]

    def padded(self, ids: torch.Tensor, ends: torch.Tensor) -> torch.Tensor:
        """(n, length) and (n,), on the device → (n, dim): every position, so that shapes depend on nothing else."""
        return self._run(padded_rows(ids, ends))

    def ends(self, ids: Ids) -> Ids:
        """End-of-text is the first `eos_id`, or, as in the first CLIP, the highest id of all."""
        found: Ids = (ids if self._eos_id is None else ids == self._eos_id).argmax(axis=1)
        return found

    def _run(self, rows: Rows) -> torch.Tensor:
        x = self._tokens[rows.tokens] + self._positions[rows.positions]  # (rows, width)
        x = self._blocks(x, rows.layout)  # (n, width)
        return self._projection(self._norm(x))


class Projection:
    """To the space that texts and pictures share: a matrix, a linear layer, or nothing."""

    def __init__(self, projection: Any, *, device: torch.device, dtype: torch.dtype) -> None:
        is_layer = isinstance(projection, nn.Linear)
        weight = projection.weight.t() if is_layer else projection
        bias = projection.bias if is_layer else None
        self._weight = None if weight is None else weight.to(device, dtype).contiguous()  # (width, dim)
        self._bias = None if bias is None else bias.to(device, dtype)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        if self._weight is None:
            return x
        projected: torch.Tensor = x @ self._weight
        return projected if self._bias is None else projected + self._bias


def by_length(ends: Ids) -> list[Ids]:
    """Which texts run together: all, or the short ones apart from few that are much longer."""
    order = np.argsort(ends, kind="stable")
    lengths = ends[order] + 1
    if len(order) * lengths[-1] <= SPARSE * lengths.sum():
        return [np.arange(len(ends))]
    counts = np.arange(1, len(order))
    filled = counts * lengths[:-1] + (len(order) - counts) * lengths[-1]
    cut = int(filled.argmin()) + 1
    return [order[:cut], order[cut:]]


def may_be_lean(model: nn.Module) -> bool:
    return may_truncate(model) and fits(text_tower(model).transformer)
