"""What a search asks for."""

from typing import Annotated

import msgspec

from shared.errors import Invalid
from shared.filters import Filter
from shared.jobs.names import MAIN_SLOT, NEEDS_POSITIVE, Feedback, GroupKey, ItemId, Lane, Name, Text, Token

LEADS_NOWHERE = "a query needs text of positive weight, image, item or positive"


class Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A part of a request: immutable, and strict about names."""


class WeightedText(Body, frozen=True):
    """One text of several. A negative weight leads away from what it says."""

    text: Text
    weight: Annotated[float, msgspec.Meta(ge=-100, le=100)] = 1.0

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise ValueError("text holds nothing but spaces")


class Query(Body, frozen=True):
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


class Exclude(Body, frozen=True):
    """What must not come back: items, and whole groups by the collection's `group_field`."""

    ids: Annotated[list[ItemId], msgspec.Meta(max_length=100_000)] = msgspec.field(default_factory=list)
    groups: Annotated[list[GroupKey], msgspec.Meta(max_length=10_000)] = msgspec.field(default_factory=list)


class Then(Body, frozen=True):
    """A later step of a sequence: it begins after the step before it, at most `within_s` seconds after that ended."""

    query: Query
    within_s: Annotated[float, msgspec.Meta(gt=0, le=86_400)] = 30.0


class Search(Body, frozen=True, tag_field="kind", tag="search"):
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
            raise Invalid(f"{LEADS_NOWHERE}{hint}", field="query")
        if self.query.feedback in NEEDS_POSITIVE and not (self.query.positive or marked):
            raise Invalid(f"feedback by {self.query.feedback} needs positive items", field="query.feedback")
        for index, then in enumerate(self.then):
            if then.query.is_empty:
                raise Invalid(LEADS_NOWHERE, field=f"then[{index}].query")
        if self.then and any(query.feedback == "recommend" for query in self.queries):
            raise Invalid("feedback by recommend gives no cosines, which a sequence compares", field="query.feedback")

    @property
    def queries(self) -> list[Query]:
        """Of every step, in their order."""
        return [self.query, *(then.query for then in self.then)]
