"""open_clip's ModifiedResNet at any picture size, with its attention pooling at the cost of the map that there is."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


def see(visual: Any, pictures: Tensor) -> Tensor:
    """What `visual(pictures)` gives, (n, d); a picture so small that its last map is one cell counts as four alike."""
    hidden = visual.stem(pictures)
    for layer in (visual.layer1, visual.layer2, visual.layer3, visual.layer4):
        hidden = layer(hidden)
    return _pooled(visual.attnpool, hidden.flatten(2).transpose(1, 2))


def _pooled(pool: Any, cells: Tensor) -> Tensor:
    """The mean cell attends to all: cells (n, t, c) to (n, d).

    Keys and values are linear, so the mean's are the mean of theirs, and positions are added after projection.
    """
    position = pool.positional_embedding
    mean = cells.mean(1, keepdim=True)
    query = functional.linear(mean + position[0], pool.q_proj.weight, pool.q_proj.bias)
    key = _projected(pool.k_proj, cells, position)
    value = _projected(pool.v_proj, cells, position)
    query, key, value = (_heads(part, pool.num_heads) for part in (query, key, value))
    attended = functional.scaled_dot_product_attention(query, key, value)  # (n, heads, 1, c / heads)
    vectors: Tensor = pool.c_proj(attended.transpose(1, 2).flatten(1))
    return vectors


def _projected(projection: Any, cells: Tensor, position: Tensor) -> Tensor:
    """(n, t, c) to (n, p, c) for p positions, the mean's first."""
    plain = functional.linear(cells, projection.weight)
    all_cells = plain.expand(-1, len(position) - 1, -1)
    together = torch.cat([all_cells.mean(1, keepdim=True), all_cells], 1)
    return together + functional.linear(position, projection.weight, projection.bias)


def _heads(tokens: Tensor, count: int) -> Tensor:
    together = tokens.reshape(tokens.shape[0], tokens.shape[1], count, -1)
    return together.transpose(1, 2)
