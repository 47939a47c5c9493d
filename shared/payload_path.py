"""Names of payload fields as Qdrant's JSON paths."""

import re

from shared.errors import Invalid

_SEGMENT = re.compile(r'(?P<name>"[^"]+"|[^".\[\]]+)(?P<steps>(?:\[\d*\])*)')
_PLAIN = re.compile(r"[A-Za-z0-9_-]+")


def path_of(key: str) -> str:
    """`key` as Qdrant's JSON path: dots descend, `[]` and `[0]` enter lists, odd names are quoted. Raises Invalid."""
    segments, at = [], 0
    while match := _SEGMENT.match(key, at):
        name, steps = match["name"], match["steps"]
        quoted = name if name[0] == '"' or _PLAIN.fullmatch(name) else f'"{name}"'
        segments.append(quoted + steps)
        at = match.end() + 1
        if key[match.end() : at] != ".":
            break
    if not segments or at != len(key) + 1:
        raise Invalid(f"{key!r} does not name a payload field", field="filter")
    return ".".join(segments)
