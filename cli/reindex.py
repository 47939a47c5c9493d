"""`clipline collections reindex`: encode a collection's pictures anew, while it is searched."""

import asyncio
from typing import Annotated

import msgspec
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from cli.collections import Name, checked
from cli.failures import Failure
from cli.options import DEFAULT_URL, AsJson, Key, Url, err, out
from cli.remote import connect
from cli.table import show_json
from client import calls
from client.aio import AsyncClipline
from client.calls import Call
from client.frames import JobEvent, JobResult
from client.http import Taken
from shared.jobs import ReindexResult

INTERRUPTED = 130

LeaveOut = Annotated[
    bool, typer.Option("--leave-out", help="Switch even if some pictures can no longer be read; they are gone then.")
]

ToModel = Annotated[
    str | None,
    typer.Option("--model", metavar="NAME", help="Move it to this model, a name of CLIPLINE_MODELS or default."),
]


def reindex(
    name: Name,
    url: Url = DEFAULT_URL,
    key: Key = None,
    *,
    model: ToModel = None,
    leave_out: LeaveOut = False,
    json: AsJson = False,
) -> None:
    """Encode all pictures of a collection with its model as the workers have it now, or with another.

    Searches and ingests go on meanwhile. The new vectors are built beside the old ones and take their place in one
    step. Pictures are read from their originals, or from the copies that were kept. Ctrl-C ends the watching, not the
    job.

    Examples:

        clipline collections reindex photos

        clipline collections reindex photos --model large
    """
    try:
        result = asyncio.run(_run(calls.reindex(checked(name), leave_out=leave_out, model_name=model), url, key))
    except KeyboardInterrupt:
        err.print("the job goes on; `clipline jobs` shows it")
        raise typer.Exit(INTERRUPTED) from None
    _tell(result, json=json)


async def _run(call: Call, url: str, key: str | None) -> ReindexResult:
    """Raises Failure when the job ends without a result."""
    async with connect(url, key) as http:
        taken = msgspec.convert(await http.json(call), Taken)
    with _progress() as progress:
        bar = progress.add_task("", total=None)
        async with AsyncClipline(url, key=key) as clipline:
            async for frame in clipline.follow(taken.id):
                match frame:
                    case JobEvent(done=int(done), total=total):
                        progress.update(bar, completed=done, total=total)
                    case JobResult(result=dict(result)):
                        return msgspec.convert(result, ReindexResult)
                    case JobResult(error=error):
                        raise Failure(f"{error.title}: {error.detail}" if error else f"the job is {frame.state}")
                    case _:
                        pass
    raise Failure("the connection ended before the job did; `clipline jobs` shows it")


def _progress() -> Progress:
    """On standard error, where that is a terminal."""
    columns = (TextColumn("reindexing"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    return Progress(*columns, console=err, disable=not err.is_terminal)


def _tell(result: ReindexResult, *, json: bool) -> None:
    if json:
        show_json(msgspec.to_builtins(result))
    else:
        for line in _lines(result):
            out.print(line, markup=False)
    if not result.switched:
        raise Failure(
            f"nothing was switched: {result.unreadable} pictures cannot be read; bring them back and run this again, "
            "or leave them out with --leave-out"
        )


def _lines(result: ReindexResult) -> list[str]:
    copies = f", {result.from_copies} of them from kept copies" if result.from_copies else ""
    kept = f"; {result.kept} that cannot be read keep their vectors" if result.kept else ""
    lost = [f"{row.source}: {row.reason}" for row in result.failed]
    done = f"{result.collection}: {result.encoded} encoded{copies}{kept}"
    return [*lost, f"{done}; {result.count} pictures with model {result.model}"]
