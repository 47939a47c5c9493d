"""Long sequences in bounded pieces."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def chunks(items: Sequence[T], size: int) -> list[list[T]]:
    """At least one, so that a call about nothing still finds that its collection is missing."""
    return [list(items[start : start + size]) for start in range(0, len(items), size)] or [[]]
