"""A child's output: kept in a bounded file, its last lines at hand, its warnings passed on."""

import re
from collections import deque
from collections.abc import Callable
from pathlib import Path

MAX_BYTES = 8 * 2**20
MAX_LINE_BYTES = 64 * 2**10
LAST_LINES = 20
# Both forms of shared/logs.py
LOUD = re.compile(rb'^\S+ \S+ (WARNING|ERROR|CRITICAL) |"level":"(warning|error|critical)"')


class ChildLog:
    """Appends to `path`; a full file becomes `path`.1, which replaces the one before."""

    def __init__(self, path: Path, *, echo: Callable[[str], None] | None = None) -> None:
        self.path = path
        self._echo = echo
        self._last: deque[str] = deque(maxlen=LAST_LINES)
        self._rest = b""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab")

    def write(self, data: bytes) -> None:
        if self._file.tell() + len(data) > MAX_BYTES:
            self._rotate()
        self._file.write(data)
        self._file.flush()
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._line(line)
        if len(self._rest) > MAX_LINE_BYTES:
            self._line(self._rest)
            self._rest = b""

    def last(self, count: int = LAST_LINES) -> list[str]:
        """The newest lines, oldest first."""
        return [*self._last][-count:]

    def close(self) -> None:
        self._file.close()

    def _line(self, line: bytes) -> None:
        text = line.decode(errors="replace").rstrip()
        self._last.append(text)
        if self._echo is not None and LOUD.search(line):
            self._echo(text)

    def _rotate(self) -> None:
        self._file.close()
        self.path.replace(self.path.with_name(self.path.name + ".1"))
        self._file = self.path.open("ab")
