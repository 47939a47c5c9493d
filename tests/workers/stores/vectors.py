"""Unit vectors and points for the tests of stores."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.stores.protocol import Point

Matrix = NDArray[np.float32]
DIM = 8


def unit(count: int, *, dim: int = DIM, seed: int = 0) -> Matrix:
    """Random rows of length one, (count, dim)."""
    rows = np.random.default_rng(seed).standard_normal((count, dim))
    vectors: Matrix = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype("<f4")
    return vectors


def points(ids: Iterable[int], *, dim: int = DIM, seed: int = 0, **payload: Any) -> list[Point]:
    wanted = list(ids)
    rows = unit(len(wanted), dim=dim, seed=seed)
    return [Point(id=id_, vector=row.tobytes(), payload=dict(payload)) for id_, row in zip(wanted, rows, strict=True)]
