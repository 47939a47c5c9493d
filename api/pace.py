"""How fast one client may send."""

from time import monotonic


class Pace:
    """A token bucket: `per_s` a second, and as many at once."""

    __slots__ = ("_at", "_left", "_per_s")

    def __init__(self, per_s: float) -> None:
        self._per_s = per_s
        self._left = per_s
        self._at = monotonic()

    def allows(self, *, now: float | None = None) -> bool:
        """Takes a token, when there is one."""
        now = monotonic() if now is None else now
        self._left = min(self._per_s, self._left + max(0.0, now - self._at) * self._per_s)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
