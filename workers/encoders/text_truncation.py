"""Text towers run over the positions that their result can see, instead of over the whole padded context.

CLIP pads every text to 77 tokens; a query has about 8. With a causal mask no position sees what follows it, so a tower
that reads its result at the end-of-text token gives the same vector when the batch is cut after its last such token.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional

logger = logging.getLogger(__name__)

TextTower = Callable[[torch.Tensor], torch.Tensor]  # (n, context) ids → (n, dim)

# Largest difference of a component of unit vectors in fp32; other matrix shapes round differently, by about 1e-6.
TOLERANCE = 1e-5
PROBES = (
    "a",
    "a happy cat",
    "a happy cat in the snow",
    "",
    "two red bicycles leaning against the wall of an old stone house in the rain",
    "a long sentence that goes on " * 20,
)


class TruncatedText:
    """Runs a causal open_clip text tower over a batch's longest text. Ask `may_truncate` first, and `is_exact`."""

    def __init__(self, model: nn.Module) -> None:
        self._tower = text_tower(model)
        self._device = self._tower.positional_embedding.device
        self._eos_id = eos_id(model)

    def __call__(self, ids: torch.Tensor) -> torch.Tensor:
        """(n, context), on the CPU → (n, dim), not normalised."""
        tower = self._tower
        ends = self._ends(ids)  # (n,)
        length = int(ends.max()) + 1
        ids, ends = ids[:, :length].to(self._device), ends.to(self._device)
        dtype = tower.transformer.get_cast_dtype()
        x = tower.token_embedding(ids).to(dtype) + tower.positional_embedding[:length].to(dtype)
        x = tower.transformer(x, attn_mask=tower.attn_mask[:length, :length])  # (n, length, width)
        # The norm works on each position alone, so only the one that is read needs it.
        x = tower.ln_final(x[torch.arange(len(ids), device=ids.device), ends])  # (n, width)
        return _projected(x, tower.text_projection)

    def _ends(self, ids: torch.Tensor) -> torch.Tensor:
        """End-of-text is the first `eos_id`, or, as in the first CLIP, the highest id of all."""
        if self._eos_id is None:
            return ids.argmax(dim=-1)
        return (ids == self._eos_id).int().argmax(dim=-1)


def _projected(x: torch.Tensor, projection: nn.Module | torch.Tensor | None) -> torch.Tensor:
    if projection is None:
        return x
    return x @ projection if isinstance(projection, torch.Tensor) else projection(x)


def is_exact(tower: TextTower, model: nn.Module, tokenizer: Callable[[Sequence[str]], torch.Tensor]) -> bool:
    """Prove it against the stock path. Call it in fp32: half precision would drown the proof in rounding."""
    name, difference = type(tower).__name__, _largest_difference(tower, model, tokenizer)
    if difference > TOLERANCE:
        logger.warning("%s is not used: it changes the vectors of this model's texts by %.1e", name, difference)
        return False
    logger.info("%s: texts run at their own length, which changes vectors by at most %.1e", name, difference)
    return True


def tell_why_not() -> None:
    logger.info("texts run at full length: the model's text tower is not causal, or reads another position")


def may_truncate(model: nn.Module) -> bool:
    """Whether the tower is one of open_clip's own, causal, without a class token, and reads the end-of-text."""
    tower = text_tower(model)
    parts = ("token_embedding", "positional_embedding", "transformer", "ln_final", "text_projection", "attn_mask")
    if not all(hasattr(tower, part) for part in parts) or not hasattr(tower.transformer, "get_cast_dtype"):
        return False
    is_causal = tower.attn_mask is not None and not getattr(tower, "use_pad_mask", False)
    return is_causal and getattr(tower, "cls_emb", None) is None and _pool(model) in {"argmax", "eos"}


def text_tower(model: nn.Module) -> Any:
    """`CustomTextCLIP` keeps its text tower apart; `CLIP` is its own."""
    return getattr(model, "text", model)


def _pool(model: nn.Module) -> str:
    return str(getattr(text_tower(model), "pool_type" if hasattr(model, "text") else "text_pool_type", ""))


def eos_id(model: nn.Module) -> int | None:
    if _pool(model) != "eos":
        return None
    return int(getattr(text_tower(model), "eos_id" if hasattr(model, "text") else "text_eos_id"))


@torch.inference_mode()
def _largest_difference(
    tower: TextTower, model: nn.Module, tokenizer: Callable[[Sequence[str]], torch.Tensor]
) -> float:
    """Each probe alone and all together, because lengths within a batch matter."""
    stock: TextTower = model.encode_text  # type: ignore[assignment]
    batches = [tokenizer(list(PROBES)), *(tokenizer([probe]) for probe in PROBES)]
    return max(float((_unit(stock(ids)) - _unit(tower(ids))).abs().max()) for ids in batches)


def _unit(vectors: torch.Tensor) -> torch.Tensor:
    return functional.normalize(vectors.float(), dim=-1)
