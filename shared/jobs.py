"""The kinds of job, what each asks for and what each answers."""

from typing import Annotated, Any, Literal, get_args

import msgspec

from shared.errors import Invalid, Problem
from shared.filter_check import FieldType
from shared.filters import Filter

MAX_ID = 2**53 - 1  # the largest integer that JavaScript reads exactly

State = Literal["queued", "running", "succeeded", "failed", "cancelled", "superseded", "expired", "dead"]
Kind = Literal["search", "ingest", "collection", "items", "facets", "neighbours", "reindex"]
Lane = Literal["interactive", "bulk"]
# How a vector store finds neighbours: by its graph, by more of it without the excluded, or past every vector.
PlanName = Literal["graph", "graph+drop", "graph+acorn", "exact"]
STATES: tuple[State, ...] = get_args(State)
KINDS: tuple[Kind, ...] = get_args(Kind)
LANES: tuple[Lane, ...] = get_args(Lane)
FINAL: frozenset[State] = frozenset({"succeeded", "failed", "cancelled", "superseded", "expired", "dead"})
RETRYABLE: frozenset[State] = FINAL - {"succeeded"}

ItemId = Annotated[int, msgspec.Meta(ge=0, le=MAX_ID)]
# `(?!\n)`: in Python `$` alone also matches before a newline that ends the text.
Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}(?!\n)$", description="letters, digits, _ and -")]
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=1_000)]
Token = Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9._:-]+(?!\n)$")]
GroupKey = str | int
Feedback = Literal["rocchio", "recommend", "classifier"]
NEEDS_POSITIVE = ("recommend", "classifier")
FieldName = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
FacetFields = Annotated[list[FieldName], msgspec.Meta(min_length=1, max_length=16)]
FacetLimit = Annotated[int, msgspec.Meta(ge=1, le=1_000)]
Around = Annotated[int, msgspec.Meta(ge=0, le=100)]
# Where an item stands in its group, unless its collection says otherwise; and what can be ordered at all.
DEFAULT_ORDER = "position"
ORDERED = ("integer", "float", "datetime")
# Types whose values an index can count.
COUNTED = ("keyword", "integer", "bool")
# The slot of searches that name none, as far as a session remembers their last query.
MAIN_SLOT = "main"
Payload = dict[str, Any]


class _Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A part of a request: immutable, and strict about names."""


class WeightedText(_Body, frozen=True):
    """One text of several. A negative weight leads away from what it says."""

    text: Text
    weight: Annotated[float, msgspec.Meta(ge=-100, le=100)] = 1.0

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise ValueError("text holds nothing but spaces")


class Query(_Body, frozen=True):
    """What to look for; the parts combine. `image` is base64 in JSON.

    `feedback` says how the marked items, `positive` and `negative`, take part.
    """

    text: Text | None = None
    texts: Annotated[list[WeightedText], msgspec.Meta(max_length=16)] = msgspec.field(default_factory=list)
    image: Annotated[bytes, msgspec.Meta(min_length=1)] | None = None
    item: ItemId | None = None
    positive: Annotated[list[ItemId], msgspec.Meta(max_length=1_000)] = msgspec.field(default_factory=list)
    negative: Annotated[list[ItemId], msgspec.Meta(max_length=1_000)] = msgspec.field(default_factory=list)
    feedback: Feedback | None = None

    def __post_init__(self) -> None:
        if self.text is not None and not self.text.strip():
            raise ValueError("text holds nothing but spaces")

    @property
    def is_empty(self) -> bool:
        """Whether nothing says what to look for; a session's marks may, or its last query."""
        leads = self.text is not None or any(one.weight > 0 for one in self.texts)
        return not leads and self.image is None and self.item is None and not self.positive

    @property
    def words(self) -> str | None:
        """What it says in words, for people."""
        told = [self.text, *(f"-{one.text}" if one.weight < 0 else one.text for one in self.texts)]
        return ", ".join(one for one in told if one is not None) or None

    @property
    def named_ids(self) -> set[int]:
        """Items that the query names; they are never hits."""
        named = {*self.positive, *self.negative}
        return named if self.item is None else named | {self.item}


class Exclude(_Body, frozen=True):
    """What must not come back: items, and whole groups by the collection's `group_field`."""

    ids: Annotated[list[ItemId], msgspec.Meta(max_length=100_000)] = msgspec.field(default_factory=list)
    groups: Annotated[list[GroupKey], msgspec.Meta(max_length=10_000)] = msgspec.field(default_factory=list)


class Then(_Body, frozen=True):
    """A later step of a sequence: it begins after the step before it, at most `within_s` seconds after that ended."""

    query: Query
    within_s: Annotated[float, msgspec.Meta(gt=0, le=86_400)] = 30.0


class Search(_Body, frozen=True, tag_field="kind", tag="search"):
    """Find the pictures nearest to a query; with `then`, the groups in which one thing follows another in time."""

    collection: Name
    query: Query = msgspec.field(default_factory=Query)
    then: Annotated[list[Then], msgspec.Meta(max_length=3)] = msgspec.field(default_factory=list)
    limit: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 24
    filter: Filter | None = None
    seen: Annotated[list[ItemId], msgspec.Meta(max_length=100_000)] = msgspec.field(default_factory=list)
    exclude: Exclude | None = None
    group_by: Annotated[str, msgspec.Meta(min_length=1, max_length=256)] | None = None
    group_size: Annotated[int, msgspec.Meta(ge=1, le=100)] = 3
    payload: bool = True
    session: Token | None = None
    slot: Token | None = None
    lane: Lane = "interactive"
    deadline_ms: Annotated[int, msgspec.Meta(ge=1, le=3_600_000)] | None = None
    # What the session holds: its marks join the query; what is shown joins them; its last query goes on.
    marks: bool = True
    remember: bool = False
    next: bool = False

    def __post_init__(self) -> None:
        if self.slot is not None and self.session is None:
            raise ValueError("a slot needs a session")
        if self.next:
            self._check_next()

    def _check_next(self) -> None:
        if self.query != Query() or self.then or self.filter is not None or self.group_by is not None:
            raise ValueError("`next` goes on with the last query as it was: without query, then, filter and group_by")
        if self.slot is None:
            # As a newer search does, a newer page takes the place of one that is still to come.
            msgspec.structs.force_setattr(self, "slot", MAIN_SLOT)

    def require_session(self) -> None:
        """Raises Invalid. Not when it is made: over a websocket a search gets its session from there."""
        for field in ("next", "remember"):
            if getattr(self, field) and self.session is None:
                raise Invalid(f"`{field}` needs a session", field=field)

    def require_parts(self, *, marked: bool) -> None:
        """Raises Invalid when nothing says what to look for; `marked`: the session has positive marks."""
        if self.query.is_empty and (self.then or not marked):
            hint = ", or positive marks in the session" if self.session and not self.then else ""
            raise Invalid(f"a query needs text, image, item or positive{hint}", field="query")
        if self.query.feedback in NEEDS_POSITIVE and not (self.query.positive or marked):
            raise Invalid(f"feedback by {self.query.feedback} needs positive items", field="query.feedback")
        for index, then in enumerate(self.then):
            if then.query.is_empty:
                raise Invalid("a query needs text, image, item or positive", field=f"then[{index}].query")
        if self.then and any(query.feedback == "recommend" for query in self.queries):
            raise Invalid("feedback by recommend gives no cosines, which a sequence compares", field="query.feedback")

    @property
    def queries(self) -> list[Query]:
        """Of every step, in their order."""
        return [self.query, *(then.query for then in self.then)]


class File(_Body, frozen=True):
    """One picture to ingest: by `path` where the workers see it, in the upload's spool, or by `hash` alone to ask."""

    source: Annotated[str, msgspec.Meta(min_length=1, max_length=4_096)]
    path: Annotated[str, msgspec.Meta(min_length=1, max_length=4_096)] | None = None
    hash: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}(?!\n)$")] | None = None
    payload: Payload | None = None


# Seconds between two pictures of a video; 0: one of each shot.
StepS = Annotated[float, msgspec.Meta(ge=0, le=3_600)]
Files = Annotated[list[File], msgspec.Meta(min_length=1, max_length=1_000)]


class Ingest(_Body, frozen=True, tag_field="kind", tag="ingest"):
    """Index pictures and videos. Paths are absolute (by reference), or relative to the spool folder of an upload.

    Without `video_step_s` the worker's setting holds.
    """

    collection: Name
    files: Files
    spool: str | None = None
    rejected: list["Skipped"] = msgspec.field(default_factory=list)
    video_step_s: StepS | None = None


class CollectionSpec(_Body, frozen=True):
    """What a collection is made with; `payload` names its filterable fields.

    Within a group items stand in the order of `order_field`; unless it is said, that is an integer at `position`.
    """

    group_field: Annotated[str, msgspec.Meta(min_length=1, max_length=256)] | None = None
    order_field: Annotated[str, msgspec.Meta(min_length=1, max_length=256)] | None = None
    payload: Annotated[dict[str, FieldType], msgspec.Meta(max_length=64)] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.group_field is None and self.order_field is not None:
            raise ValueError("an order_field needs a group_field")
        order = self.order_field or DEFAULT_ORDER
        if self.group_field is not None and self.payload.get(order, "integer") not in ORDERED:
            raise ValueError(f"items cannot be ordered by {order!r}: it is no {', '.join(ORDERED)}")


class CollectionTask(_Body, frozen=True, tag_field="kind", tag="collection"):
    """Create, drop or describe a collection."""

    op: Literal["create", "drop", "describe"]
    collection: Name
    spec: CollectionSpec | None = None


class Reindex(_Body, frozen=True, tag_field="kind", tag="reindex"):
    """Encode a collection's pictures anew with the worker's model, beside it, and let that take its place.

    `leave_out`: also when some pictures can no longer be read, which are gone from it then.
    """

    collection: Name
    leave_out: bool = False


class Items(_Body, frozen=True, tag_field="kind", tag="items"):
    """Read stored items."""

    collection: Name
    ids: Annotated[list[ItemId], msgspec.Meta(min_length=1, max_length=1_000)]


class Facets(_Body, frozen=True, tag_field="kind", tag="facets"):
    """Count the values of some fields among the items that pass a filter."""

    collection: Name
    fields: FacetFields
    filter: Filter | None = None
    limit: FacetLimit = 20


class Neighbours(_Body, frozen=True, tag_field="kind", tag="neighbours"):
    """Read what stands before and after an item in its group."""

    collection: Name
    id: ItemId
    before: Around = 3
    after: Around = 3


Job = Search | Ingest | CollectionTask | Items | Facets | Neighbours | Reindex


def kind_of(job: Job) -> Kind:
    kind: Kind = job.__struct_config__.tag  # type: ignore[assignment]
    return kind


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
    """Hits best first; with `group_by`, groups by their best hit; with `then`, groups by their best sequence."""

    took: SearchTook
    model: str
    exhausted: bool
    hits: list[Hit] | None = None
    groups: list[Group] | None = None
    truncated: bool = False


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
    """A collection as clients see it; `model` is the fingerprint of the encoder that filled it.

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


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """A start of a job that brought no result, and why; times are ISO 8601 UTC."""

    attempt: int
    worker: str
    started_at: str
    ended_at: str
    problem: Problem


class JobView(msgspec.Struct, frozen=True, kw_only=True):
    """A job as clients see it; times are ISO 8601 UTC. `redacted`: what was asked and answered is not shown."""

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
