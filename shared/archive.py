"""A session's sets as one document, to keep or to take elsewhere."""

from typing import Annotated, Literal, Self

import msgspec

from shared.errors import Invalid
from shared.jobs import ItemId, Name
from shared.marks import (
    MAX_GROUPS,
    MAX_MARKS,
    SET_NAMES,
    GroupChange,
    GroupName,
    IdChange,
    Ids,
    Mark,
    MarkChange,
    Marks,
    Sets,
)

MAX_COLLECTIONS = 64
Member = Annotated[str, msgspec.Meta(max_length=64)]


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of the document: immutable, and strict about names."""


class ArchivedMark(_Part, frozen=True):
    """`by` tells who it was; what is read in is marked by whoever reads it in."""

    id: ItemId
    by: Member | None = None


class ArchivedGroup(_Part, frozen=True):
    group: GroupName
    by: Member | None = None


class ArchivedSets(_Part, frozen=True):
    """What the session holds in one collection."""

    collection: Name
    seen: Ids = msgspec.field(default_factory=list)
    exclude: Annotated[list[ArchivedMark], msgspec.Meta(max_length=100_000)] = msgspec.field(default_factory=list)
    positive: Annotated[list[ArchivedMark], msgspec.Meta(max_length=MAX_MARKS)] = msgspec.field(default_factory=list)
    negative: Annotated[list[ArchivedMark], msgspec.Meta(max_length=MAX_MARKS)] = msgspec.field(default_factory=list)
    exclude_groups: Annotated[list[ArchivedGroup], msgspec.Meta(max_length=MAX_GROUPS)] = msgspec.field(
        default_factory=list
    )

    @classmethod
    def of(cls, sets: Sets) -> Self:
        """In order, so that the same sets give the same document."""
        groups = sorted(sets.exclude_groups, key=lambda mark: repr(mark.group))
        return cls(
            collection=sets.collection,
            seen=sorted(sets.seen),
            exclude=_archived(sets.exclude),
            positive=_archived(sets.positive),
            negative=_archived(sets.negative),
            exclude_groups=[ArchivedGroup(group=mark.group, by=mark.by) for mark in groups],
        )

    def marks(self) -> Marks:
        """The change that makes a session hold exactly this. Raises Invalid."""
        try:
            return Marks(
                collection=self.collection,
                clear=list(SET_NAMES),
                seen=IdChange(add=self.seen),
                exclude=IdChange(add=[mark.id for mark in self.exclude]),
                positive=MarkChange(add=[mark.id for mark in self.positive]),
                negative=MarkChange(add=[mark.id for mark in self.negative]),
                exclude_groups=GroupChange(add=[mark.group for mark in self.exclude_groups]),
            )
        except ValueError as error:
            raise Invalid(str(error), field="collections") from error


def _archived(marks: list[Mark]) -> list[ArchivedMark]:
    return [ArchivedMark(id=mark.id, by=mark.by) for mark in sorted(marks, key=lambda mark: mark.id)]


class Archive(_Part, frozen=True):
    """Everything that a session holds; `version` is that of this form."""

    version: Literal[1] = 1
    collections: Annotated[list[ArchivedSets], msgspec.Meta(max_length=MAX_COLLECTIONS)] = msgspec.field(
        default_factory=list
    )

    def __post_init__(self) -> None:
        names = [one.collection for one in self.collections]
        if len(set(names)) < len(names):
            raise ValueError("a collection is named twice")
