"""A model's two towers for one device and precision: the quickest that was proven, else open_clip's own."""

import copy
from typing import Any, Literal

import msgspec
import torch
from torch import nn

from workers.encoders import pictures_lean, text_graphs, text_lean, text_truncation
from workers.encoders.pictures_lean import PictureTower, lean_pictures
from workers.encoders.text_lean import LeanText
from workers.encoders.text_truncation import TextTower, TruncatedText, may_truncate
from workers.encoders.tokens import Tokenizer

CPU, EXACT = torch.device("cpu"), torch.float32


class Shortcuts(msgspec.Struct, frozen=True, kw_only=True):
    """What was proven exact for a model, in fp32 on the CPU."""

    texts: Literal["lean", "truncated", "none"]
    pictures: Literal["lean", "none"]


def prove(model: nn.Module, tokenizer: Tokenizer, image_size: tuple[int, int]) -> Shortcuts:
    """Try each shortcut that the model's architecture allows."""
    return Shortcuts(texts=_prove_texts(model, tokenizer), pictures=_prove_pictures(model, image_size))


def _prove_texts(model: nn.Module, tokenizer: Tokenizer) -> Literal["lean", "truncated", "none"]:
    if not may_truncate(model):
        text_truncation.tell_why_not()
        return "none"
    if text_lean.may_be_lean(model):
        lean = LeanText(model, device=CPU, dtype=EXACT)
        if text_truncation.is_exact(lean, model, tokenizer):
            return "lean"
    return "truncated" if text_truncation.is_exact(TruncatedText(model), model, tokenizer) else "none"


def _prove_pictures(model: nn.Module, image_size: tuple[int, int]) -> Literal["lean", "none"]:
    if not pictures_lean.may_be_lean(model):
        return "none"
    tower = lean_pictures(model, device=CPU, dtype=EXACT)
    return "lean" if pictures_lean.is_exact(tower, model, image_size) else "none"


class Towers:
    """Makes towers from a model in fp32 on the CPU, and at most one copy of it for a device and precision.

    `compiled`: the picture tower goes through torch.compile when it is first used. Texts are short, and on CUDA their
    graphs have removed already what compiling would.
    """

    def __init__(self, model: nn.Module, *, device: torch.device, dtype: torch.dtype, compiled: bool = False) -> None:
        self._model = model
        self._compiled = compiled
        self._device, self._dtype = device, dtype
        self._placed: Any = model if (device, dtype) == (CPU, EXACT) else None

    def texts(self, shortcut: Literal["lean", "truncated", "none"]) -> TextTower:
        if shortcut == "lean":
            lean = LeanText(self._model, device=self._device, dtype=self._dtype)
            return text_graphs.on_cuda(lean, device=self._device) if self._device.type == "cuda" else lean
        placed = self._copy()
        if shortcut == "truncated":
            return TruncatedText(placed)
        return lambda ids: placed.encode_text(ids.to(self._device))

    def pictures(self, shortcut: Literal["lean", "none"]) -> PictureTower:
        if shortcut == "lean":
            # A compiler sees nothing of packed products.
            may_pack = not self._compiled
            tower: PictureTower = lean_pictures(self._model, device=self._device, dtype=self._dtype, may_pack=may_pack)
        else:
            tower = self._copy().encode_image
        # Batches have many sizes, and each would be compiled apart.
        return torch.compile(tower, dynamic=True) if self._compiled else tower

    def _copy(self) -> Any:
        if self._placed is None:
            self._placed = copy.deepcopy(self._model).to(device=self._device, dtype=self._dtype)
        return self._placed
