"""A vision transformer's first step: a picture's patches, each mapped to a row."""

from typing import Any

import torch
from torch import nn

from workers.encoders.products import product


class Patches(nn.Module):
    """Takes the place of a convolution whose windows do not overlap: they are one matrix product, which is quicker than
    what the libraries choose for such a convolution (on an H200 by a fifth of the whole tower), and exact in fp32,
    where CUDA's convolutions round to TF32 by themselves.
    """

    def __init__(self, convolution: nn.Conv2d, *, device: torch.device, dtype: torch.dtype, may_pack: bool) -> None:
        super().__init__()
        self._high, self._wide = int(convolution.kernel_size[0]), int(convolution.kernel_size[1])
        weight = convolution.weight.detach().flatten(1)  # (width, channels × high × wide)
        self._product = product(weight, convolution.bias, device=device, dtype=dtype, may_pack=may_pack)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, channels, height, width) → (n, outputs, rows, columns); what fills no patch is left out."""
        count, channels, height, width = x.shape
        rows, columns = height // self._high, width // self._wide
        inner = x[:, :, : rows * self._high, : columns * self._wide]
        windows = inner.reshape(count, channels, rows, self._high, columns, self._wide).permute(0, 2, 4, 1, 3, 5)
        mapped = self._product(windows.reshape(count * rows * columns, -1))
        return mapped.view(count, rows, columns, -1).permute(0, 3, 1, 2)


def may_be_patches(convolution: Any) -> bool:
    """Whether its windows lie side by side and each sees every channel."""
    return (
        type(convolution) is nn.Conv2d
        and convolution.kernel_size == convolution.stride
        and convolution.padding in {(0, 0), "valid"}
        and convolution.dilation == (1, 1)
        and convolution.groups == 1
    )
