"""Counting what is open, by key."""

from collections import Counter
from typing import Generic, TypeVar

Key = TypeVar("Key")


class Counted(Generic[Key]):
    """One more of a key while it is entered; a key that nothing is open of is forgotten. One for each connection."""

    __slots__ = ("_counter", "_key")

    def __init__(self, counter: Counter[Key], key: Key) -> None:
        self._counter = counter
        self._key = key

    def __enter__(self) -> None:
        self._counter[self._key] += 1

    def __exit__(self, *_: object) -> None:
        self._counter[self._key] -= 1
        if not self._counter[self._key]:
            del self._counter[self._key]
