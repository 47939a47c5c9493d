"""What a session holds for its searcher: sets of items and groups, and the changes that clients send."""

from typing import Annotated, Literal, get_args

import msgspec

from shared.jobs import GroupKey, ItemId, Name

MAX_MARKS = 1_000
MAX_GROUPS = 10_000

SetName = Literal["seen", "exclude", "positive", "negative", "exclude_groups"]
SET_NAMES: tuple[SetName, ...] = get_args(SetName)

Ids = Annotated[list[ItemId], msgspec.Meta(max_length=100_000)]
GroupName = Annotated[str, msgspec.Meta(max_length=1_000)] | Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Groups = Annotated[list[GroupName], msgspec.Meta(max_length=MAX_GROUPS)]


class _FromClient(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A part of a request: immutable, and strict about names."""


class IdChange(_FromClient, frozen=True):
    """Items to add to a set and to take out of it; what is there already, or not there, changes nothing."""

    add: Ids = msgspec.field(default_factory=list)
    remove: Ids = msgspec.field(default_factory=list)

    def __post_init__(self) -> None:
        _require_disjoint(self.add, self.remove)


class MarkChange(IdChange, frozen=True):
    """The same for examples, of which there are fewer."""

    add: Annotated[list[ItemId], msgspec.Meta(max_length=MAX_MARKS)] = msgspec.field(default_factory=list)
    remove: Annotated[list[ItemId], msgspec.Meta(max_length=MAX_MARKS)] = msgspec.field(default_factory=list)


class GroupChange(_FromClient, frozen=True):
    """The same for groups, by their value of the collection's `group_field`."""

    add: Groups = msgspec.field(default_factory=list)
    remove: Groups = msgspec.field(default_factory=list)

    def __post_init__(self) -> None:
        _require_disjoint(self.add, self.remove)


def _require_disjoint(added: list[GroupKey] | list[int], removed: list[GroupKey] | list[int]) -> None:
    """Raises ValueError. With their types: a group 1 is not a group "1"."""
    if both := set(added) & set(removed):
        raise ValueError(f"{min(map(repr, both))} is to be added and to be removed")


class Marks(_FromClient, frozen=True):
    """A change of a session's sets in one collection; `clear` empties sets before anything is added to them."""

    collection: Name
    seen: IdChange | None = None
    exclude: IdChange | None = None
    positive: MarkChange | None = None
    negative: MarkChange | None = None
    exclude_groups: GroupChange | None = None
    clear: Annotated[list[SetName], msgspec.Meta(max_length=len(SET_NAMES))] = msgspec.field(default_factory=list)

    def __post_init__(self) -> None:
        good, bad = self.positive or MarkChange(), self.negative or MarkChange()
        if both := set(good.add) & set(bad.add):
            raise ValueError(f"{min(both)} is to be marked positive and negative")


class Joining(_FromClient, frozen=True):
    """Under which name somebody joins a session."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+(?!\n)$")]

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ValueError("a name holds more than spaces")


class Seat(msgspec.Struct, frozen=True, kw_only=True):
    """A member's own session: its jobs, pushes and pages are the member's, its marks those of the team's session."""

    session: str
    team: str
    member: str


class Step(_FromClient, frozen=True):
    """Which collection's last change to take back, or to do again."""

    collection: Name


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """How many each set holds."""

    seen: int = 0
    exclude: int = 0
    positive: int = 0
    negative: int = 0
    exclude_groups: int = 0


class Marked(msgspec.Struct, frozen=True, kw_only=True):
    """A session's sets after a change; `revision` grows with every one.

    `forgotten`: so many of the items that were seen first had to make room. `undo`, `redo`: how many changes can be
    taken back, and done again.
    """

    session: str
    collection: str
    revision: int
    counts: Counts
    forgotten: int = 0
    undo: int = 0
    redo: int = 0


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """An item in a set, and the member of the team who put it there, where there is one."""

    id: int
    by: str | None = None


class GroupMark(msgspec.Struct, frozen=True, kw_only=True):
    group: GroupKey
    by: str | None = None


class Sets(msgspec.Struct, frozen=True, kw_only=True):
    """A session's sets in one collection; ids and groups in no particular order."""

    collection: str
    revision: int = 0
    counts: Counts = msgspec.field(default_factory=Counts)
    seen: list[int] = msgspec.field(default_factory=list)
    exclude: list[Mark] = msgspec.field(default_factory=list)
    positive: list[Mark] = msgspec.field(default_factory=list)
    negative: list[Mark] = msgspec.field(default_factory=list)
    exclude_groups: list[GroupMark] = msgspec.field(default_factory=list)


class SessionView(msgspec.Struct, frozen=True, kw_only=True):
    """A session: when it was made, in which collections it holds something, and, if one is asked for, its sets.

    Of a member's session `team` is the one that holds the marks, and `member` the name.
    """

    session: str
    created_at: str
    collections: list[str]
    team: str | None = None
    member: str | None = None
    members: list[str] = msgspec.field(default_factory=list)
    sets: Sets | None = None
