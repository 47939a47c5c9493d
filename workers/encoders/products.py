"""A layer's matrix product, with weights that are laid out once and with what follows it fused into it.

On a CPU oneDNN rearranges weights for its kernels at every call, unless they come packed, and writes each product to
memory before the next step reads it again. torch's own compiler uses the same packed operators.
"""

from typing import Any, Literal, Protocol

import torch
from torch.nn import functional

Activation = Literal["gelu", "tanh_gelu", "swish"]

_FUSED: dict[Activation, tuple[str, str]] = {
    "gelu": ("gelu", "none"),
    "tanh_gelu": ("gelu", "tanh"),
    "swish": ("swish", "none"),
}


class Product(Protocol):
    """Maps (rows, inputs) to (rows, outputs)."""

    def __call__(self, x: torch.Tensor) -> torch.Tensor: ...

    def activated(self, x: torch.Tensor, activation: Activation) -> torch.Tensor: ...

    def added_to(self, other: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """`other` plus the product of `x`."""


class Plain:
    """torch's own linear layer, on any device."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
        self._weight, self._bias = weight, bias

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return functional.linear(x, self._weight, self._bias)

    def activated(self, x: torch.Tensor, activation: Activation) -> torch.Tensor:
        product = self(x)
        if activation == "swish":
            return functional.silu(product)
        return functional.gelu(product, approximate="tanh" if activation == "tanh_gelu" else "none")

    def added_to(self, other: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return other + self(x)


class Packed:
    """oneDNN's linear layer over packed weights."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
        self._ops: Any = torch.ops.mkldnn
        self._weight, self._bias = self._ops._reorder_linear_weight(weight), bias

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return self._pointwise(x, "none", "")

    def activated(self, x: torch.Tensor, activation: Activation) -> torch.Tensor:
        return self._pointwise(x, *_FUSED[activation])

    def added_to(self, other: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        sums: torch.Tensor = self._ops._linear_pointwise.binary(x, other, self._weight, self._bias, "add")
        return sums

    def _pointwise(self, x: torch.Tensor, step: str, algorithm: str) -> torch.Tensor:
        product: torch.Tensor = self._ops._linear_pointwise(x, self._weight, self._bias, step, [], algorithm)
        return product


def product(
    weight: torch.Tensor, bias: torch.Tensor | None, *, device: torch.device, dtype: torch.dtype, may_pack: bool = True
) -> Product:
    """Weights are (outputs, inputs) and bias (outputs,), best in fp32: they are rounded to `dtype` here."""
    placed = weight.to(device, dtype).contiguous()
    bias = None if bias is None else bias.to(device, dtype).contiguous()
    return Packed(placed, bias) if may_pack and packs(device, dtype) else Plain(placed, bias)


def packs(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether this build of torch and this CPU have the packed operators for a number format."""
    if device.type != "cpu" or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    ops = torch.ops.mkldnn
    if not all(hasattr(ops, name) for name in ("_reorder_linear_weight", "_linear_pointwise")):
        return False
    if dtype == torch.float32:
        return True
    supported = {torch.bfloat16: "_is_mkldnn_bf16_supported", torch.float16: "_is_mkldnn_fp16_supported"}.get(dtype)
    return supported is not None and hasattr(ops, supported) and bool(getattr(ops, supported)())
