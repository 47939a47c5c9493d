"""What a task knows of the job that it runs."""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

from shared.clock import now_ms


def nothing() -> None:
    """For whoever does not mind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One attempt at one job. It was due at `due_ms`, when it was accepted or was to be run again, and waited since.

    `on_device` is called, from the device's thread, when the device takes its query; `got_further` when a piece of a
    long job is done for good, so that its time begins anew.
    """

    job_id: str
    tenant: str
    attempt: int
    due_ms: int
    queued_ms: float
    on_device: Callable[[], None] = nothing
    got_further: Callable[[], None] = nothing

    def total_ms(self) -> float:
        """Since the job was due."""
        return round(max(0.0, now_ms() - self.due_ms), 3)


class Stopwatch:
    """Milliseconds since it was made or last read."""

    def __init__(self) -> None:
        self._since = perf_counter()

    def lap_ms(self) -> float:
        now = perf_counter()
        lap, self._since = (now - self._since) * 1000, now
        return round(lap, 3)
