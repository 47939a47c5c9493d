"""Options that several commands share, and how they print."""

from typing import Annotated

import typer
from rich.console import Console

DEFAULT_URL = "http://127.0.0.1:8000"

Url = Annotated[str, typer.Option("--url", envvar="CLIPLINE_URL", metavar="URL", help="Where the API answers.")]
Key = Annotated[
    str | None,
    typer.Option("--key", envvar="CLIPLINE_KEY", metavar="KEY", help="API key, where the server wants one."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]

# Results go to standard output, everything about the way there to standard error.
out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def group(help_: str) -> typer.Typer:
    """A command with commands of its own; without one it does the first thing that people want."""
    return typer.Typer(help=help_, invoke_without_command=True, no_args_is_help=False, rich_markup_mode="markdown")
