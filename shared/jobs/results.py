"""What jobs answer, and how clients see jobs and collections."""

from typing import Any

import msgspec

from shared.errors import Problem
from shared.jobs.names import GroupKey, Kind, Lane, Payload, PlanName, State
from shared.model_names import DEFAULT_MODEL


class Took(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds by stage."""

    queue_ms: float = 0.0
    encode_ms: float = 0.0
    search_ms: float = 0.0
    total_ms: float = 0.0


class SearchTook(Took, frozen=True, kw_only=True):
    """Of a search also how the store went about it: the last plan, and in how many rounds all hits were found."""

    plan: PlanName = "graph"
    rounds: int = 1


class Hit(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One picture; `source` is where it came from, told with the payload."""

    id: int
    score: float
    source: str | None = None
    payload: Payload | None = None


class Group(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A group with its best hits; of a sequence with one for each step, in time, and the mean of their scores."""

    group: GroupKey
    hits: list[Hit]
    score: float | None = None


class SearchResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Hits best first; with `group_by`, groups by their best hit; with `then`, groups by their best sequence.

    `relevant`: so many of them, the first ones, are likely to be what was looked for, as they score `line` or more; the
    rest is less likely. Neither is there where scores do not tell: with `then`, and with feedback by `recommend`.
    """

    took: SearchTook
    model: str
    exhausted: bool
    hits: list[Hit] | None = None
    groups: list[Group] | None = None
    truncated: bool = False
    relevant: int | None = None
    line: float | None = None


class Skipped(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was not indexed, and why."""

    source: str
    reason: str
    type: str = "bad-picture"


class IngestResult(msgspec.Struct, frozen=True, kw_only=True):
    """Files by what became of them; `frames` are the items that videos brought, `partial` videos of which a part could
    not be read and the rest was indexed, `wanted` sources known by hash alone whose bytes the collection lacks.
    """

    collection: str
    added: int = 0
    updated: int = 0
    unchanged: int = 0
    frames: int = 0
    skipped: list[Skipped] = msgspec.field(default_factory=list)
    failed: list[Skipped] = msgspec.field(default_factory=list)
    partial: list[Skipped] = msgspec.field(default_factory=list)
    wanted: list[str] = msgspec.field(default_factory=list)
    count: int = 0
    took: Took = msgspec.field(default_factory=Took)


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """What an item shows of a video: the piece from `start_s` to `end_s` by its frame at `moment_s`, in seconds.

    `position` counts the video's items from 0; `source` is the video's.
    """

    source: str
    position: int
    start_s: float
    end_s: float
    moment_s: float


class ReindexResult(msgspec.Struct, frozen=True, kw_only=True):
    """`switched`: searches find the new vectors now. `encoded` pictures, of which `from_copies` were read from the kept
    copies as their originals are gone; `kept` keep a vector of the same model. `unreadable` are those that nothing is
    left of; `failed` names the first thousand.
    """

    collection: str
    model: str
    switched: bool
    count: int = 0
    encoded: int = 0
    from_copies: int = 0
    kept: int = 0
    unreadable: int = 0
    failed: list[Skipped] = msgspec.field(default_factory=list)
    took: Took = msgspec.field(default_factory=Took)


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """A stored picture: its payload and where it came from. `hash` is the file's, `moment` is there for videos."""

    id: int
    source: str
    hash: str
    width: int
    height: int
    payload: Payload
    moment: Moment | None = None


class ItemsResult(msgspec.Struct, frozen=True, kw_only=True):
    """The items that exist, in the order asked for."""

    items: list[Item]


class FacetValue(msgspec.Struct, frozen=True, kw_only=True):
    """A value and how many items have it."""

    value: str | int | bool
    count: int


class Facet(msgspec.Struct, frozen=True, kw_only=True):
    """The values of one field, the most frequent ones first."""

    field: str
    values: list[FacetValue]


class FacetsResult(msgspec.Struct, frozen=True, kw_only=True):
    """In the order asked for."""

    facets: list[Facet]


class NeighboursResult(msgspec.Struct, frozen=True, kw_only=True):
    """An item, null when it does not exist, between those of its group; without a group or a place it stands alone."""

    item: Item | None
    group: GroupKey | None = None
    before: list[Item] = msgspec.field(default_factory=list)
    after: list[Item] = msgspec.field(default_factory=list)


class Collection(msgspec.Struct, frozen=True, kw_only=True):
    """A collection as clients see it; `model` is the fingerprint of the encoder that filled it, `model_name` the model
    of the fleet whose workers serve it.

    `generation` counts how often it was reindexed.
    """

    name: str
    count: int = 0
    model: str | None = None
    dim: int | None = None
    group_field: str | None = None
    order_field: str | None = None
    payload: dict[str, str] = msgspec.field(default_factory=dict)
    created_at: str = ""
    generation: int = 0
    model_name: str = DEFAULT_MODEL


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """A start of a job that brought no result, and why; times are ISO 8601 UTC."""

    attempt: int
    worker: str
    started_at: str
    ended_at: str
    problem: Problem


class JobView(msgspec.Struct, frozen=True, kw_only=True):
    """A job as clients see it; times are ISO 8601 UTC. It waits for a worker that holds the model `model_name`.

    `redacted`: what was asked and answered is not shown.
    """

    id: str
    kind: Kind
    state: State
    lane: Lane
    collection: str
    tenant: str
    created_at: str
    started_at: str | None = None
    finished_at: str | None = None
    attempts: int = 0
    worker: str | None = None
    text: str | None = None
    session: str | None = None
    trace: str | None = None
    timings: Took | None = None
    result: dict[str, Any] | None = None
    error: Problem | None = None
    history: list[Attempt] = msgspec.field(default_factory=list)
    redacted: bool = False
    model_name: str = DEFAULT_MODEL
