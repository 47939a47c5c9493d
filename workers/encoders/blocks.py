"""open_clip's transformer blocks over rows, without the rows that no result depends on.

A block's products and norms work on each position alone, so they take a flat list of rows; attention alone needs to
know which rows make a sequence, and a `Layout` tells it. The last block computes the one row of each sequence that is
read.
"""

import itertools
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from workers.encoders.products import Activation, Product, product
from workers.encoders.torchvision_ops import open_clip

# Up to this length two batched products are quicker on a CPU than the fused kernel, which prepares for long ones.
SHORT = 32
# Up to this length a GPU is quicker with the kernel that torch asks last: on an H200 53 µs instead of 87 for 512 texts
# of 16 tokens, 17 instead of 24 for 128 pictures of 50 rows; of 257 rows it is slower.
MEDIUM = 64
QUICKEST_FIRST = [
    SDPBackend.EFFICIENT_ATTENTION,
    SDPBackend.FLASH_ATTENTION,
    SDPBackend.CUDNN_ATTENTION,
    SDPBackend.MATH,
]
# QuickGELU is x · sigmoid(1.702 x).
QUICK = 1.702


class Layout(NamedTuple):
    """How rows make `sequences` × `length` positions. Without `spread` and `gather` each position is one row."""

    sequences: int
    length: int
    ends: torch.Tensor  # (sequences,) the row that a sequence's result is read at
    causal: bool
    spread: torch.Tensor | None = None  # (sequences × length,) the row of each position
    gather: torch.Tensor | None = None  # (rows,) a position of each row
    seen: torch.Tensor | None = None  # (sequences, 1, 1, length) what an end looks at; None: everything


class Block:
    """One residual block of attention and MLP. Ask `fits` first."""

    def __init__(self, block: Any, *, device: torch.device, dtype: torch.dtype, may_pack: bool, last: bool) -> None:
        attention, width = block.attn, block.attn.embed_dim
        self._heads = attention.num_heads
        self._first_norm = Norm(block.ln_1, device=device, dtype=dtype)
        self._second_norm = Norm(block.ln_2, device=device, dtype=dtype)

        def made(weight: torch.Tensor, bias: torch.Tensor | None, scale: nn.Module | None = None) -> Product:
            return product(*_scaled(weight, bias, scale), device=device, dtype=dtype, may_pack=may_pack)

        weight, bias = attention.in_proj_weight, attention.in_proj_bias
        # The last block's queries are few, its keys and values are not.
        cuts = (0, width, 3 * width) if last else (0, 3 * width)
        self._inward = [
            made(weight[start:end], None if bias is None else bias[start:end])
            for start, end in itertools.pairwise(cuts)
        ]
        self._outward = made(attention.out_proj.weight, attention.out_proj.bias, block.ls_1)
        self._activation, quick = _activation(block.mlp.gelu)
        widen, narrow = block.mlp.c_fc, block.mlp.c_proj
        self._widen = made(widen.weight * quick, None if widen.bias is None else widen.bias * quick)
        self._narrow = made(narrow.weight / quick, narrow.bias, block.ls_2)

    def all_rows(self, x: torch.Tensor, layout: Layout) -> torch.Tensor:
        """(rows, width) → (rows, width)."""
        [inward] = self._inward
        q, k, v = self._by_head(inward(self._first_norm(x)), layout, parts=3)
        mixed = _attend(q, k, v, causal=layout.causal)  # (sequences, heads, length, head width)
        rows = mixed.transpose(1, 2).reshape(layout.sequences * layout.length, -1)
        return self._mlp(self._outward.added_to(x, rows if layout.gather is None else rows[layout.gather]))

    def end_rows(self, x: torch.Tensor, layout: Layout) -> torch.Tensor:
        """(rows, width) → (sequences, width): the rows at `ends` alone."""
        queries, keys_and_values = self._inward
        normed = self._first_norm(x)
        k, v = self._by_head(keys_and_values(normed), layout, parts=2)
        q = queries(normed[layout.ends]).view(layout.sequences, self._heads, 1, -1)
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=layout.seen)
        return self._mlp(self._outward.added_to(x[layout.ends], mixed.reshape(layout.sequences, -1)))

    def _mlp(self, x: torch.Tensor) -> torch.Tensor:
        return self._narrow.added_to(x, self._widen.activated(self._second_norm(x), self._activation))

    def _by_head(self, rows: torch.Tensor, layout: Layout, *, parts: int) -> torch.Tensor:
        """(rows, parts × width) → (parts, sequences, heads, length, head width)."""
        spread = rows if layout.spread is None else rows[layout.spread]
        split = spread.view(layout.sequences, layout.length, parts, self._heads, -1)
        return split.permute(2, 0, 3, 1, 4)


class Norm:
    """A layer norm, in the number format of its input."""

    def __init__(self, norm: Any, *, device: torch.device, dtype: torch.dtype) -> None:
        self._shape, self._eps = norm.normalized_shape, norm.eps
        self._weight, self._bias = (
            None if values is None else values.to(device, dtype) for values in (norm.weight, norm.bias)
        )

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return functional.layer_norm(x, self._shape, self._weight, self._bias, self._eps)


class Blocks:
    """All of a transformer's blocks; the last gives the rows at `ends` where `ends_only`."""

    def __init__(
        self, transformer: Any, *, device: torch.device, dtype: torch.dtype, may_pack: bool = True, ends_only: bool
    ) -> None:
        final = len(transformer.resblocks) - 1 if ends_only else None
        self._blocks = [
            Block(block, device=device, dtype=dtype, may_pack=may_pack, last=index == final)
            for index, block in enumerate(transformer.resblocks)
        ]
        self._ends_only = ends_only

    def __call__(self, x: torch.Tensor, layout: Layout) -> torch.Tensor:
        """(rows, width) → (sequences, width) where `ends_only`, else (rows, width)."""
        whole = self._blocks[:-1] if self._ends_only else self._blocks
        for block in whole:
            x = block.all_rows(x, layout)
        return self._blocks[-1].end_rows(x, layout) if self._ends_only else x


def fits(transformer: Any) -> bool:
    """Whether every block is open_clip's plain one, with an activation that is known here."""
    blocks = getattr(transformer, "resblocks", ())
    return len(blocks) > 0 and all(_block_fits(block) for block in blocks)


def _block_fits(block: Any) -> bool:
    if type(block) is not open_clip.transformer.ResidualAttentionBlock or hasattr(block, "ln_1_kv"):
        return False
    attention = block.attn
    is_plain = attention.in_proj_weight is not None and attention.bias_k is None and not attention.add_zero_attn
    scales = all(
        isinstance(scale, nn.Identity | open_clip.transformer.LayerScale) for scale in (block.ls_1, block.ls_2)
    )
    return is_plain and scales and isinstance(block.mlp.gelu, nn.GELU | open_clip.transformer.QuickGELU)


def _activation(module: nn.Module) -> tuple[Activation, float]:
    """And by what the layer before it is multiplied, the one behind it divided: QuickGELU becomes the usual swish."""
    if isinstance(module, nn.GELU):
        return ("tanh_gelu" if module.approximate == "tanh" else "gelu"), 1.0
    return "swish", QUICK


def _scaled(
    weight: torch.Tensor, bias: torch.Tensor | None, scale: nn.Module | None
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """A layer scale multiplies each output of the product before it, so it can be part of that product."""
    gamma: torch.Tensor | None = getattr(scale, "gamma", None)
    if gamma is None:
        return weight, bias
    return weight * gamma[:, None], None if bias is None else bias * gamma


def _attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, *, causal: bool) -> torch.Tensor:
    """Each (sequences, heads, length, head width)."""
    length = q.shape[2]
    if q.device.type == "cuda" and length <= MEDIUM:
        with sdpa_kernel(QUICKEST_FIRST, set_priority=True):
            return functional.scaled_dot_product_attention(q, k, v, is_causal=causal)
    if q.device.type != "cpu" or q.dtype != torch.bfloat16 or length > SHORT:
        return functional.scaled_dot_product_attention(q, k, v, is_causal=causal)
    flat = [part.reshape(-1, length, part.shape[-1]) for part in (q, k, v)]
    mask = _causal_mask(length, q.dtype) if causal else q.new_zeros(1)
    scores = torch.baddbmm(mask, flat[0], flat[1].transpose(1, 2), alpha=q.shape[-1] ** -0.5)
    return (scores.softmax(dim=-1) @ flat[2]).view(q.shape)


def _causal_mask(length: int, dtype: torch.dtype) -> torch.Tensor:
    return torch.full((1, length, length), float("-inf"), dtype=dtype).triu_(1)
