"""How a session's sets lie in Redis, in Python: the other side of `scripts/sets.lua`.

An entry is a key and the number of the member who put it there, one byte. An item's key is its id, eight bytes, little
endian; a group's is its JSON, and travels with its length before it, two bytes.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from shared.jobs import GroupKey
from shared.marks import SetName

LETTERS: dict[SetName, str] = {"seen": "s", "exclude": "x", "positive": "p", "negative": "n", "exclude_groups": "g"}
ENTRY = struct.Struct("<QB")
NOBODY = 0

Fields = Mapping[bytes, bytes]


def pack_ids(ids: Iterable[int]) -> bytes:
    return b"".join(ENTRY.pack(one, NOBODY) for one in ids)


def pack_groups(groups: Iterable[GroupKey]) -> bytes:
    keys = (msgspec.json.encode(group) for group in groups)
    return b"".join(struct.pack("<H", len(key) + 1) + key + bytes((NOBODY,)) for key in keys)


def unpack_ids(text: bytes) -> Iterator[int]:
    return (one for one, _ in ENTRY.iter_unpack(text))


def unpack_groups(text: bytes) -> Iterator[bytes]:
    """The JSON of each group, as they travel: with its length before it and its member behind it."""
    at = 0
    while at < len(text):
        (size,) = struct.unpack_from("<H", text, at)
        yield text[at + 2 : at + 1 + size]
        at += 2 + size


def fields_of(flat: Sequence[bytes]) -> Fields:
    """What HGETALL answers, as a mapping."""
    return dict(zip(flat[::2], flat[1::2], strict=True))


def buckets(fields: Fields, name: SetName) -> bytes:
    """All entries of a set of items, as one text."""
    letter = ord(LETTERS[name])
    return b"".join(text for field, text in fields.items() if field[0] == letter and field[1:].isdigit())


def entries(fields: Fields, name: SetName) -> Iterator[tuple[int, int]]:
    """Ids, each with its member's number."""
    return ENTRY.iter_unpack(buckets(fields, name))


def groups(fields: Fields) -> Iterator[tuple[GroupKey, int]]:
    """Excluded groups, each with its member's number."""
    for field, by in fields.items():
        if field[:1] == b"g":
            yield msgspec.json.decode(field[1:], type=GroupKey), by[0]


def number(fields: Fields, name: str) -> int:
    return int(fields.get(name.encode(), b"0"))
