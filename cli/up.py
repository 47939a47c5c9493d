"""`clipline up`: everything on this machine, with one command."""

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from cli import embedded
from cli.data_folder import DataFolder
from cli.options import err, out
from shared.settings import Settings

Data = Annotated[
    Path, typer.Option("--data", metavar="DIR", envvar="CLIPLINE_DATA_DIR", help="Folder that holds everything.")
]
Host = Annotated[str | None, typer.Option("--host", help="Address to listen on.  [default: 127.0.0.1]")]
Port = Annotated[
    int | None,
    typer.Option("--port", min=0, max=65_535, help="Port to listen on; 0 is any that is free.  [default: 8000]"),
]
Demo = Annotated[bool, typer.Option("--demo", help="Add the sample collection of pictograms.")]


def up(data: Data = Path("data"), host: Host = None, port: Port = None, *, demo: Demo = False) -> None:
    """Start Redis, a worker and the API on this machine; Ctrl-C stops them.

    All data lies below one folder, so a second start goes on where the first one stopped. Two stacks with two folders
    run side by side. Without CLIPLINE_MODEL the small model that comes with Clipline is used.

    Examples:

        clipline up

        clipline up --demo --data data

        CLIPLINE_MODEL=ViT-B-32 CLIPLINE_PRETRAINED=laion2b_s34b_b79k clipline up --port 9000
    """
    with DataFolder(data) as folder:
        settings = embedded.settings(os.environ, data=folder.path, host=host, port=port)
        embedded.require_parts(edge=settings.store == "edge")
        # A port that somebody asked for is that one or none.
        fixed = port is not None or "CLIPLINE_PORT" in os.environ
        asyncio.run(_run(folder, settings, fixed_port=fixed, demo=demo))


async def _run(folder: DataFolder, settings: Settings, *, fixed_port: bool, demo: bool) -> None:
    from cli import sample
    from cli.stack import Stack

    stack = Stack(settings, folder, fixed_port=fixed_port, tell=_tell)

    async def once_ready() -> None:
        out.print(f"Clipline is ready at [bold]{stack.url}[/]")
        out.print(escape(f"  model {settings.model}\n  data  {folder.path}\n  logs  {folder.logs}"))
        if demo:
            await sample.prepare(stack.url, folder.path)
            tries = ", ".join(f'"{query}"' for query in sample.QUERIES)
            out.print(f"Open [bold]{stack.url}[/] and look for {tries}.")
        out.print("Ctrl-C stops it; the data stays.")

    await stack.run(once_ready)


def _tell(text: str) -> None:
    err.print(escape(text))
