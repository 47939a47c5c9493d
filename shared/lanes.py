"""Every model has lanes of its own, so that a worker takes only jobs whose model it holds.

The default model's lanes are called `interactive` and `bulk`; another model's have its name behind that:
`interactive@photo`.
"""

from collections.abc import Iterable

from shared.jobs import LANES, Job, Lane, Search, kind_of
from shared.model_names import DEFAULT_MODEL

MARK = "@"


def lane_of(job: Job) -> Lane:
    """Searches say theirs; ingest and reindex are bulk; what a person waits for is interactive."""
    if isinstance(job, Search):
        return job.lane
    return "bulk" if kind_of(job) in ("ingest", "reindex") else "interactive"


def lane_name(lane: Lane, model: str = DEFAULT_MODEL) -> str:
    return lane if model == DEFAULT_MODEL else f"{lane}{MARK}{model}"


def urgency_of(name: str) -> Lane:
    """Which of the two kinds of lane it is."""
    return "bulk" if name.partition(MARK)[0] == "bulk" else "interactive"


def model_of(name: str) -> str:
    return name.partition(MARK)[2] or DEFAULT_MODEL


def lanes_of(models: Iterable[str]) -> tuple[str, ...]:
    """Of each model both, in the order in which they are shown."""
    return tuple(lane_name(lane, model) for model in models for lane in LANES)
