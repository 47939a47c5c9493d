"""The rows that a batch of texts needs: no padding, and positions with the same words before them only once.

In a causal tower a position's state depends on its own token and on those before it. Every text starts with the same
token, many with the same words, and what people type grows letter by letter: such beginnings are computed once for all
of a batch, exactly, as vLLM and SGLang share the prompts of their requests. No result changes but by rounding.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from workers.encoders.blocks import Layout

Ids = npt.NDArray[np.int64]


class Rows(NamedTuple):
    """What to embed, (rows,) each, and how attention sees it."""

    tokens: torch.Tensor
    positions: torch.Tensor
    layout: Layout


def shared_rows(ids: Ids, ends: Ids) -> Rows:
    """`ids` are (n, context), `ends` (n,) the position at which each text's result is read."""
    length = int(ends.max()) + 1
    if len(ids) == 1:
        return padded_rows(torch.from_numpy(ids[:, :length]), torch.from_numpy(ends))
    row_of, first = _tree(ids[:, :length], ends)
    spread, gather = torch.from_numpy(row_of.reshape(-1)), torch.from_numpy(first)
    layout = Layout(
        sequences=len(ids),
        length=length,
        ends=torch.from_numpy(row_of[:, -1].copy()),
        causal=True,
        spread=spread,
        gather=gather,
        seen=_seen(torch.from_numpy(ends), length),
    )
    return Rows(torch.from_numpy(ids[:, :length].reshape(-1)[first]), torch.from_numpy(first % length), layout)


def padded_rows(ids: torch.Tensor, ends: torch.Tensor) -> Rows:
    """One row for each position of (n, length) ids: shapes depend on nothing else, as a device's graph wants them."""
    count, length = ids.shape
    each = torch.arange(count, device=ids.device)
    layout = Layout(count, length, ends=each * length + ends, causal=True, seen=_seen(ends, length))
    return Rows(ids.reshape(-1), torch.arange(length, device=ids.device).repeat(count), layout)


def _seen(ends: torch.Tensor, length: int) -> torch.Tensor:
    """(n, 1, 1, length): what lies behind a text's end is padding."""
    return (torch.arange(length, device=ends.device) <= ends[:, None])[:, None, None, :]


def _tree(ids: Ids, ends: Ids) -> tuple[Ids, Ids]:
    """The row of each position, (n, length), and a position of each row, counted through (n × length).

    Position by position: two texts share a row where they shared the one before and have the same token. Behind its end
    a text repeats its last row, which nothing looks at.
    """
    count, length = ids.shape
    row_of = np.zeros((count, length), dtype=np.int64)
    before = np.zeros(count, dtype=np.int64)
    first: list[Ids] = []
    rows = 0
    for position in range(length):
        alive = np.flatnonzero(ends >= position)
        # Token ids are far below 2³², and so are rows.
        _, where, which = np.unique(
            (before[alive] << 32) | ids[alive, position], return_index=True, return_inverse=True
        )
        before[alive] = which.reshape(-1) + rows
        row_of[:, position] = before
        first.append(alive[where] * length + position)
        rows += len(where)
    return row_of, np.concatenate(first)
