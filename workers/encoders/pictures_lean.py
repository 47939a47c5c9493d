"""The picture tower of open_clip's vision transformers, with patches and blocks whose weights are laid out once."""

import copy
import logging
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from workers.encoders.blocks import Blocks, Layout, fits
from workers.encoders.patches import Patches, may_be_patches
from workers.encoders.text_truncation import TOLERANCE
from workers.encoders.torchvision_ops import open_clip

logger = logging.getLogger(__name__)

PictureTower = Callable[[torch.Tensor], torch.Tensor]  # (n, 3, height, width), normalised → (n, dim)


class LeanTransformer(nn.Module):
    """Takes the place of a vision transformer's own; gives the class token alone where nothing else is read."""

    def __init__(self, blocks: Blocks, *, class_token_only: bool) -> None:
        super().__init__()
        self._blocks = blocks
        self._class_token_only = class_token_only

    def forward(self, x: torch.Tensor, attn_mask: torch.Tensor | None = None) -> torch.Tensor:
        """(n, length, width) → (n, 1, width) or (n, length, width)."""
        if attn_mask is not None:
            raise NotImplementedError("a vision transformer has no mask")
        count, length, width = x.shape
        starts = torch.arange(count, device=x.device) * length
        rows = self._blocks(x.reshape(count * length, width), Layout(count, length, starts, causal=False))
        return rows.view(count, 1 if self._class_token_only else length, width)


def lean_pictures(model: nn.Module, *, device: torch.device, dtype: torch.dtype, may_pack: bool = True) -> nn.Module:
    """A copy of the model's picture tower. Ask `may_be_lean` first."""
    visual: Any = model.visual
    only = _reads_class_token(visual)
    blocks = Blocks(visual.transformer, device=device, dtype=dtype, may_pack=may_pack, ends_only=only)
    # Its blocks are most of its memory, and the copy needs none of them.
    replaced: dict[str, nn.Module] = {"transformer": LeanTransformer(blocks, class_token_only=only)}
    if may_be_patches(visual.conv1):
        replaced["conv1"] = Patches(visual.conv1, device=device, dtype=dtype, may_pack=may_pack)
    shell: Any = copy.copy(visual)
    shell._modules = {**visual._modules, **dict.fromkeys(replaced, nn.Identity())}
    made: Any = copy.deepcopy(shell).to(device=device, dtype=dtype)
    made._modules.update(replaced)
    lean: nn.Module = made.eval()
    return lean


def may_be_lean(model: nn.Module) -> bool:
    visual: Any = getattr(model, "visual", None)
    return type(visual) is open_clip.transformer.VisionTransformer and fits(visual.transformer)


def _reads_class_token(visual: Any) -> bool:
    return visual.pool_type == "tok" and visual.attn_pool is None and not visual.output_tokens


@torch.inference_mode()
def is_exact(tower: PictureTower, model: nn.Module, size: tuple[int, int]) -> bool:
    """Prove it against the stock path, in fp32, on noise and on one colour."""
    stock: PictureTower = model.encode_image  # type: ignore[assignment]
    noise = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0))
    probes = torch.cat([noise, torch.ones(1, 3, *size)])
    difference = float((functional.normalize(stock(probes)) - functional.normalize(tower(probes))).abs().max())
    if difference > TOLERANCE:
        logger.warning("pictures take open_clip's own path: packed weights change their vectors by %.1e", difference)
        return False
    logger.info("pictures take packed weights, which change vectors by at most %.1e", difference)
    return True
