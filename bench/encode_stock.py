"""open_clip as its README shows it, on the CPU or a GPU: what bench.encode measures against."""

import copy
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from workers.encoders.protocol import Matrix
from workers.encoders.torchvision_ops import open_clip

CPU = torch.device("cpu")


class Stock:
    """`model` and `tokenizer` are exact: fp32 on the CPU. On a GPU one text goes under autocast, as the README has it,
    and batches through its "pure_fp16", the quickest that it offers; on a CPU both are fp32.
    """

    def __init__(self, name: str, device: torch.device) -> None:
        # As Clipline draws its random weights.
        torch.manual_seed(0)
        self.model: Any = open_clip.create_model(name, pretrained=None).eval()
        self.tokenizer: Any = open_clip.get_tokenizer(name)
        self._device = device
        self._alone, self._together = self.model, self.model
        if device != CPU:
            self._alone = copy.deepcopy(self.model).to(device)
            self._together = copy.deepcopy(self.model).to(device, torch.float16)

    @torch.inference_mode()
    def exact(self, texts: Sequence[str]) -> Matrix:
        return _rows(self.model.encode_text(self.tokenizer(list(texts)), normalize=True))

    @torch.inference_mode()
    def alone(self, texts: Sequence[str]) -> Matrix:
        with self._autocast():
            return _rows(self._alone.encode_text(self.tokenizer(list(texts)).to(self._device), normalize=True))

    def together(self, texts: Sequence[str]) -> Matrix:
        return self.ids_together(self.tokenizer(list(texts)))

    @torch.inference_mode()
    def ids_together(self, ids: torch.Tensor) -> Matrix:
        """(n, context) token ids."""
        return _rows(self._together.encode_text(ids.to(self._device), normalize=True))

    @torch.inference_mode()
    def picture_alone(self, inputs: torch.Tensor) -> Matrix:
        """(1, 3, height, width), normalised, on the CPU."""
        with self._autocast():
            return _rows(self._alone.encode_image(inputs.to(self._device), normalize=True))

    @torch.inference_mode()
    def pictures_together(self, inputs: torch.Tensor) -> Matrix:
        half = inputs if self._device == CPU else inputs.to(self._device).half()
        return _rows(self._together.encode_image(half, normalize=True))

    def _autocast(self) -> AbstractContextManager[object]:
        return nullcontext() if self._device == CPU else torch.autocast(self._device.type)


def _rows(vectors: torch.Tensor) -> Matrix:
    rows: Matrix = vectors.float().cpu().numpy()
    return rows
