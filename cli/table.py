"""Tables and JSON on standard output."""

from collections.abc import Iterable, Sequence

import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from cli.options import out


def show(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Columns as wide as they need; what a server said is text, never markup."""
    table = Table(*columns, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        table.add_row(*(escape("" if cell is None else str(cell)) for cell in row))
    out.print(table)


def show_json(value: object) -> None:
    """One document on one line, for `jq` and scripts."""
    typer.echo(msgspec.json.encode(value).decode())
