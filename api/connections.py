"""The bound on open websockets."""

from collections.abc import Iterator
from contextlib import contextmanager


class Connections:
    """Counts the websockets that are open in this process."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.now = 0

    @property
    def full(self) -> bool:
        return self.now >= self.most

    @contextmanager
    def one(self) -> Iterator[None]:
        self.now += 1
        try:
            yield
        finally:
            self.now -= 1
