"""Tables and JSON on standard output."""

from collections.abc import Iterable, Sequence

import msgspec
import typer

GAP = "  "


def show(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Columns as wide as their widest cell: an id is never cut, so that it can be copied."""
    cells = [[*columns], *([_text(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(columns))]
    for row in cells:
        typer.echo(GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def show_json(value: object) -> None:
    """One document on one line, for `jq` and scripts."""
    typer.echo(msgspec.json.encode(value).decode())


def _text(cell: object) -> str:
    """One line, without what a terminal would take for a command."""
    text = "" if cell is None else str(cell)
    return "".join(char if char.isprintable() else " " for char in text)
