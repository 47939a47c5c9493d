"""open_clip, importable with every build of torch and torchvision."""

import importlib.util
from pathlib import Path

import torch

# As torchvision's own C++ declares them.
SCHEMAS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}


def _load_compiled() -> None:
    """Load torchvision's own operators where they fit this torch."""
    spec = importlib.util.find_spec("torchvision")
    folder = Path(spec.origin).parent if spec and spec.origin else Path()
    for library in folder.glob("_C*.so"):
        try:
            torch.ops.load_library(library)  # type: ignore[no-untyped-call]
        except OSError:
            return


def _declare_missing() -> torch.library.Library | None:
    """Declare what `import torchvision` looks up; the returned library withdraws its declarations when it is freed."""
    _load_compiled()
    missing = [schema for name, schema in SCHEMAS.items() if not hasattr(torch.ops.torchvision, name)]
    if not missing:
        return None
    library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
    for schema in missing:
        library.define(schema)  # type: ignore[no-untyped-call]
    return library


# A torchvision built for CUDA cannot load its operators beside a CPU build of torch, and then its import dies while it
# registers shapes for nms and qnms, which nothing here calls: so they are declared first, without an implementation.
DECLARED = _declare_missing()

import open_clip  # noqa: E402 - needs the declarations above

__all__ = ["open_clip"]
