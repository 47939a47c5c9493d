"""`clipline ingest`: index a folder of pictures and videos; run again, it adds only what changed."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Annotated

import msgspec
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from cli import walk
from cli.collections import checked
from cli.failures import Failure, Mistake
from cli.indexing import Indexing, Mode
from cli.options import DEFAULT_URL, AsJson, Key, Url, err, out
from cli.remote import connect
from cli.table import show_json
from cli.tally import Report, Tally, lines
from cli.walk import Picture
from client import calls
from client.address import Address
from client.http import Http
from shared.errors import CollectionNotFound
from shared.jobs import Collection as MadeCollection
from shared.jobs import CollectionSpec

INTERRUPTED = 130
# Somebody watches the first answer; after that a server may be away for a while.
FIRST_PATIENCE_S = 3.0
PATIENCE_S = 120.0
# A collection that is made for videos: grouped by them, and filterable by time and order.
VIDEOS = CollectionSpec(
    group_field="video", payload={"start_s": "float", "end_s": "float", "moment_s": "float", "position": "integer"}
)

Source = Annotated[Path, typer.Argument(metavar="PATH", help="A folder of pictures and videos, or one of them.")]
Collection = Annotated[str, typer.Option("--collection", "-c", metavar="NAME", help="Where the pictures go.")]
SourceRoot = Annotated[
    str | None,
    typer.Option("--source-root", metavar="NAME", help="Name items NAME/relative-path, not by absolute path."),
]
Payloads = Annotated[
    Path | None,
    typer.Option("--payloads", metavar="FILE", help="JSON: relative name → payload.  [default: PATH/payloads.json]"),
]
Way = Annotated[
    bool | None,
    typer.Option("--upload/--reference", help="Send the files, or only their paths. [default: whichever works]"),
]
VideoStep = Annotated[
    float | None,
    typer.Option(
        "--video-step",
        metavar="SECONDS",
        min=0,
        max=3_600,
        help="Of videos, a picture every so many seconds; 0: one of each shot. [default: the workers' setting]",
    ),
]
ModelName = Annotated[
    str | None,
    typer.Option(
        "--model", metavar="NAME", help="The collection's model, of CLIPLINE_MODELS. [default: default for a new one]"
    ),
]
Create = Annotated[bool, typer.Option("--create/--no-create", help="Make the collection when it is missing.")]


def ingest(
    path: Source,
    collection: Collection,
    source_root: SourceRoot = None,
    payloads: Payloads = None,
    upload: Way = None,
    video_step: VideoStep = None,
    model: ModelName = None,
    url: Url = DEFAULT_URL,
    key: Key = None,
    *,
    create: Create = True,
    json: AsJson = False,
) -> None:
    """Index the pictures and videos of a folder.

    An item is known by its source: run it again and only new and changed pictures are encoded. Where the workers see
    the same files, nothing is copied; elsewhere they are uploaded. Of a video each shot becomes an item, grouped by the
    video. Ctrl-C is safe at any time.

    Examples:

        clipline ingest ~/Pictures --collection photos

        clipline ingest shots --collection film --source-root film --payloads shots.json

        clipline ingest /mnt/nas/photos -c photos --url http://gpu-box:8000 --json

        clipline ingest ~/Videos --collection videos --video-step 2

        clipline ingest ~/Icons --collection icons --model icons
    """
    name = checked(collection)
    if not path.exists():
        raise Mistake(f"{path} does not exist")
    found = walk.find(path, source_root=source_root, payloads=walk.read_sidecar(path, payloads))
    tally = Tally(name, skipped=found.skipped, failed=found.failed)
    if not found.pictures:
        # A mistyped folder does not become an empty collection.
        _tell(tally.report(0.0), json=json, interrupted=False)
        raise Failure(f"nothing to index: no picture and no video was found in {path}")
    began, interrupted = monotonic(), False
    try:
        with _progress(len(found.pictures)) as advance:
            sending = Sending(mode=_mode(upload=upload), video_step_s=video_step, advance=advance)
            asyncio.run(_index(found.pictures, tally, sending, Server(url, key, create=create, model_name=model)))
    except KeyboardInterrupt:
        interrupted = True
    except ExceptionGroup as group:
        # One batch met what ends the run; the others were cancelled.
        raise group.exceptions[0] from group
    _tell(tally.report(monotonic() - began), json=json, interrupted=interrupted)


@dataclass(frozen=True, slots=True)
class Server:
    """Where the pictures go; `model_name` is what their collection is, or is to be, of."""

    url: str
    key: str | None
    create: bool
    model_name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """How they go there; `advance` is told of every file that is done."""

    mode: Mode
    video_step_s: float | None
    advance: Callable[[int], None]


async def _index(pictures: Sequence[Picture], tally: Tally, sending: Sending, server: Server) -> None:
    async with connect(server.url, server.key, patience_s=FIRST_PATIENCE_S) as http:
        spec = VIDEOS if any(one.is_video for one in pictures) else CollectionSpec()
        spec = msgspec.structs.replace(spec, model_name=server.model_name)
        await _require_collection(http, tally.collection, spec, create=server.create)
    local = Address.parse(server.url).is_loopback
    async with connect(server.url, server.key, patience_s=PATIENCE_S) as http:
        indexing = Indexing(
            http,
            tally,
            mode=sending.mode,
            local=local,
            advance=sending.advance,
            video_step_s=sending.video_step_s,
        )
        await indexing.run(pictures)


async def _require_collection(http: Http, name: str, spec: CollectionSpec, *, create: bool) -> None:
    """A missing one is made by `spec`, where that is wanted. Raises Failure when it is of another model."""
    try:
        there = await http.read(calls.collection(name), MadeCollection)
    except CollectionNotFound:
        if not create:
            raise
        await http.changed(calls.create_collection(name, spec))
        return
    if spec.model_name not in (None, there.model_name):
        raise Failure(
            f"the collection {name!r} is of the model {there.model_name!r}, not of {spec.model_name!r}; "
            f"`clipline collections reindex {name} --model {spec.model_name}` moves it"
        )


def _mode(*, upload: bool | None) -> Mode:
    if upload is None:
        return "auto"
    return "upload" if upload else "reference"


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    """A bar on standard error, where that is a terminal."""
    columns = (
        TextColumn("indexing"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, disable=not err.is_terminal) as progress:
        task = progress.add_task("", total=total, rate="")

        def advance(count: int) -> None:
            progress.advance(task, count)
            speed = progress.tasks[0].finished_speed or progress.tasks[0].speed
            progress.update(task, rate=f"{speed:.0f} pictures/s" if speed else "")

        yield advance


def _tell(report: Report, *, json: bool, interrupted: bool) -> None:
    if json:
        show_json(report)
    else:
        out.print("\n".join(lines(report)), markup=False)
    if interrupted:
        err.print("stopped; run it again to go on")
        raise typer.Exit(INTERRUPTED)
    if report.failed:
        raise typer.Exit(Failure.code)
