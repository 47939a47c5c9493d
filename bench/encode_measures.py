"""How bench.encode measures a system: alone, at a rate, and how far its vectors are from exact ones."""

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

import numpy as np

from workers.encoders.protocol import Encoder, Matrix


def own_texts(encoder: Encoder, texts: Sequence[str]) -> Matrix:
    """Tokens included, as for the others."""
    return encoder.encode_texts([encoder.tokenize(text)[0] for text in texts])


def alone(encode: Callable[[Sequence[str]], Matrix], texts: Sequence[str]) -> dict[str, float]:
    taken = []
    for text in texts:
        started = perf_counter()
        encode([text])
        taken.append(perf_counter() - started)
    return {"text_ms": 1000 * float(np.median(taken))}


def rate(name: str, encode: Callable[[Any], object], items: Any, *, batch: int) -> dict[str, float]:
    """`items`: anything with a length and slices."""
    started = perf_counter()
    for first in range(0, len(items), batch):
        encode(items[first : first + batch])
    return {name: len(items) / (perf_counter() - started)}


def distance(vectors: Matrix, exact: Matrix, ending: str = "") -> dict[str, float]:
    cosines = (vectors * exact).sum(axis=1)
    return {f"max_abs{ending}": float(np.abs(vectors - exact).max()), f"cosine{ending}": float(cosines.min())}
