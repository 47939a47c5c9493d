"""What the event stream tells of sessions: written by `scripts/sets.lua` and `sessions.lua`, read here."""

from collections.abc import Iterator

import msgspec

from shared import packed_sets
from shared.jobs import GroupKey
from shared.marks import SetName
from shared.packed_sets import LETTERS, Fields

OWNER = b"own"
ENDED = b"end"
TOO_MUCH = b"much"
NAMES: dict[str, SetName] = {letter: name for name, letter in LETTERS.items()}


class SetChange(msgspec.Struct, frozen=True, kw_only=True):
    """What really came into a set and what really left it: ids of items, or, of `exclude_groups`, groups."""

    set: SetName
    add: list[GroupKey] = msgspec.field(default_factory=list)
    remove: list[GroupKey] = msgspec.field(default_factory=list)


class SessionChange(msgspec.Struct, frozen=True, kw_only=True):
    """A session's sets in a collection changed, by its owner or by the member of the team whom `by` names.

    `session` is the one that holds the marks. `changes` take `revision - 1` to `revision`, in their order, and added
    marks are `by`'s; None when they were too many or would not tell all. Without a collection a member joined, or the
    session itself, not the one that holds its marks, `ended` before its time.
    """

    offset: str
    tenant: str
    session: str
    at_ms: int
    collection: str | None = None
    revision: int | None = None
    by: str | None = None
    changes: list[SetChange] | None = None
    ended: bool = False

    @property
    def is_passing(self) -> bool:
        """As of jobs' events: it is told again to who resumes."""
        return False


def read(offset: str, fields: Fields) -> SessionChange:
    collection = fields[b"in"].decode()
    untold = TOO_MUCH in fields or not collection
    return SessionChange(
        offset=offset,
        tenant=fields[b"t"].decode(),
        session=fields[OWNER].decode(),
        at_ms=int(float(fields[b"at"])),
        collection=collection or None,
        revision=int(fields[b"rev"]) if collection else None,
        by=fields[b"by"].decode() or None,
        changes=None if untold else list(_changes(fields)),
        ended=ENDED in fields,
    )


def _changes(fields: Fields) -> Iterator[SetChange]:
    """Fields are named by a number, a sign and a set's letter: `1+p`, what the first change added to `positive`."""
    for field, text in fields.items():
        number, sign, letter = field[:-2], field[-2:-1], field[-1:].decode()
        if sign == b"+" and number.isdigit():
            name, removed = NAMES[letter], fields[number + b"-" + letter.encode()]
            yield SetChange(set=name, add=_keys(name, text), remove=_keys(name, removed))


def _keys(name: SetName, text: bytes) -> list[GroupKey]:
    if name == "exclude_groups":
        return [msgspec.json.decode(group, type=GroupKey) for group in packed_sets.unpack_groups(text)]
    return list(packed_sets.unpack_ids(text))
