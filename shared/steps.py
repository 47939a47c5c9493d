"""Steps of time in which things are counted: fine ones for the last minutes, coarse ones for the last days."""

from typing import Literal

import msgspec

Span = Literal["15m", "1h", "24h", "7d"]


class Resolution(msgspec.Struct, frozen=True, kw_only=True):
    """Steps of `step_s`, of which a reader asks for the last `steps`; they are kept a little longer."""

    step_s: int
    steps: int

    @property
    def kept_s(self) -> int:
        return self.step_s * (self.steps + 4)


RESOLUTIONS: dict[Span, Resolution] = {
    "15m": Resolution(step_s=10, steps=90),
    "1h": Resolution(step_s=60, steps=60),
    "24h": Resolution(step_s=900, steps=96),
    "7d": Resolution(step_s=7_200, steps=84),
}
DAY_MS = 86_400_000
DAYS_KEPT = 8


def step_at(at_ms: int, step_s: int) -> int:
    return at_ms // (step_s * 1000)


def day_of(at_ms: int) -> int:
    """Days since 1970, in UTC."""
    return at_ms // DAY_MS
