"""The name of a vector space: equal exactly where vectors of two processes may be compared."""

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec
import torch
from torch import nn

from workers.encoders.preprocess import Preprocess

# Of unit length, and computed in floating point of 16 bits or more. Quantised or unnormalised vectors would be another.
FORM = "float"


def fingerprint(model: nn.Module, config: Mapping[str, Any], preprocess: Preprocess) -> str:
    """24 hex digits over the architecture (with its dimension), every weight, the preprocessing, and the vectors' form.

    fp32, fp16 and bf16 share a fingerprint: their vectors of one input have a cosine above 0.999, which `load_encoder`
    checks, and a fleet may mix devices. Call it in fp32, before weights are rounded.
    """
    digest = hashlib.sha256()
    digest.update(msgspec.json.encode([config, preprocess, FORM], order="deterministic"))
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()[:24]
