"""The encoder over open_clip models of every kind."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch.nn import functional

from workers.encoders import picture_graphs
from workers.encoders.device import DTYPES, memory_bytes
from workers.encoders.pictures_lean import PictureTower
from workers.encoders.preprocess import Preprocess
from workers.encoders.protocol import EncoderInfo, Matrix, Pixels, Tokens
from workers.encoders.staging import CudaCopies, Staging
from workers.encoders.text_truncation import TextTower
from workers.encoders.tokens import Texts


class OpenClipEncoder:
    """An open_clip model on its device: its own towers, or exact shortcuts that were proven against them."""

    def __init__(
        self,
        *,
        info: EncoderInfo,
        texts: Texts,
        text_tower: TextTower,
        picture_tower: PictureTower,
        preprocess: Preprocess,
        may_capture: bool = True,
    ) -> None:
        self.info = info
        self._texts = texts
        self._text_tower = text_tower
        self._picture_tower = picture_tower
        self.preprocess = preprocess
        self._device, self._dtype = torch.device(info.device), DTYPES[info.precision]
        self._mean = self._channels(preprocess.mean)
        self._std = self._channels(preprocess.std)
        self._on_device: Callable[[torch.Tensor], torch.Tensor] = self._encode_pixels
        self._staging: Staging | None = None
        if self._device.type == "cuda":
            self._staging = Staging(preprocess.size, copies=CudaCopies(self._device))
            if may_capture:
                self._on_device = picture_graphs.on_cuda(self._encode_pixels, preprocess.size, device=self._device)

    def tokenize(self, text: str) -> tuple[Tokens, bool]:
        return self._texts.tokenize(text)

    def memory_bytes(self) -> dict[str, int]:
        return memory_bytes(self._device)

    @torch.inference_mode()
    def encode_texts(self, tokens: Sequence[Tokens]) -> Matrix:
        return _unit_rows(self._text_tower(torch.from_numpy(np.stack(tokens))))  # from (n, context)

    @torch.inference_mode()
    def encode_images(self, images: Sequence[Pixels]) -> Matrix:
        if self._staging is not None:
            return _unit_rows(self._staging.run(images, self._on_device))
        return _unit_rows(self._encode_pixels(torch.from_numpy(np.stack(images)).to(self._device)))

    def _encode_pixels(self, pixels: torch.Tensor) -> torch.Tensor:
        """(n, height, width, 3), uint8, on the device → (n, dim)."""
        channels = pixels.permute(0, 3, 1, 2).float()  # (n, 3, height, width), 0 to 255
        return self._picture_tower(((channels - self._mean) / self._std).to(self._dtype))

    def _channels(self, values: tuple[float, ...]) -> torch.Tensor:
        """Per-channel statistics on the scale of uint8, shaped to broadcast over (n, 3, height, width)."""
        return torch.tensor(values, device=self._device).mul(255).view(1, 3, 1, 1)


def _unit_rows(vectors: torch.Tensor) -> Matrix:
    """Raises ArithmeticError instead of returning what no distance can be taken to."""
    # Normalise in float32: in half precision the norms drift by about 1e-3.
    rows: Matrix = functional.normalize(vectors.float(), dim=-1).cpu().numpy()  # (n, dim)
    if not np.isfinite(rows).all():
        raise ArithmeticError("the model returned a vector that is not finite")
    return rows
