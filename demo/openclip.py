"""open_clip, importable beside a torchvision whose compiled operators do not load."""

import importlib
from functools import cache
from types import ModuleType
from typing import Any

import torch

_library: Any = torch.library.Library
# torchvision registers shapes for these at import; a torchvision built for another torch has no operators to match.
OPERATORS = ("nms", "qnms")
SIGNATURE = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


@cache
def open_clip() -> ModuleType:
    """The open_clip package."""
    declare_operators()
    return importlib.import_module("open_clip")


@cache
def declare_operators() -> Any:
    """Declare torchvision's operators where they are missing; the answer must stay referenced, as the cache does."""
    try:
        import torchvision  # noqa: F401 - loads the operators that it has
    except RuntimeError:
        return _declare()
    return None


def _declare() -> Any:
    library: Any = _library("torchvision", "FRAGMENT")
    for name in OPERATORS:
        if not hasattr(torch.ops.torchvision, name):
            library.define(name + SIGNATURE)
    return library
