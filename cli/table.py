"""Tables and JSON on standard output."""

from collections.abc import Iterable, Sequence

import msgspec
import typer

GAP = "  "


def show(columns: Sequence[str], rows: Iterable[Sequence[object]], *, rule: tuple[int, str] | None = None) -> None:
    """Columns as wide as their widest cell: an id is never cut, so that it can be copied. A `rule` has words in it, and
    comes before the row of that place, if there is one.
    """
    cells = [[*columns], *([_text(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(columns))]
    for place, row in enumerate(cells, start=-1):
        if rule is not None and rule[0] == place:
            typer.echo(f" {rule[1]} ".center(sum(widths) + len(GAP) * (len(widths) - 1), "─"))
        typer.echo(GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def show_json(value: object) -> None:
    """One document on one line, for `jq` and scripts."""
    typer.echo(msgspec.json.encode(value).decode())


def _text(cell: object) -> str:
    """One line, without what a terminal would take for a command."""
    text = "" if cell is None else str(cell)
    return "".join(char if char.isprintable() else " " for char in text)
