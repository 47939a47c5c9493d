"""`clipline sessions`: what a searcher's session holds; taking changes back; keeping it as a file."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from cli import table
from cli.collections import checked
from cli.failures import Mistake
from cli.options import DEFAULT_URL, AsJson, Key, Url, err, group, out
from cli.remote import ask, connect
from client import calls
from client.answers import NewSession
from shared.archive import Archive
from shared.history import SessionHistory
from shared.jobs import Search
from shared.marks import SET_NAMES, Marked, SessionView
from shared.session_list import ListedSession, SessionPage

app = group("What a searcher has seen and thinks of it: see, take back, keep. `clipline search --session` uses it.")

Session = Annotated[str, typer.Argument(metavar="SESSION", help="Its id.")]
Name = Annotated[str, typer.Option("--collection", "-c", metavar="NAME", help="In which collection.")]
Where = Annotated[
    str | None, typer.Option("--collection", "-c", metavar="NAME", help="Also what it holds in this collection.")
]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=200, help="How many at most.")]
Target = Annotated[Path | None, typer.Option("--to", metavar="FILE", help="Instead of standard output.")]
Source = Annotated[Path, typer.Argument(metavar="FILE", help="What `export` wrote; - is standard input.")]
Sessions = Annotated[list[str], typer.Argument(metavar="SESSION...", help="Their ids.")]
Before = Annotated[
    str | None, typer.Option("--before", metavar="PLACE", help="The next page: where the one before it ended.")
]
Into = Annotated[
    str | None, typer.Option("--into", metavar="SESSION", help="A session that there is, instead of a new one.")
]


@app.callback()
def default(context: typer.Context) -> None:
    """What a searcher has seen and thinks of it.

    Examples:

        S=$(clipline sessions create)

        clipline search "a red fox" --session $S --remember

        clipline search --session $S --next

        clipline sessions export $S --to sitting.json

        clipline sessions drop $S
    """
    if context.invoked_subcommand is None:
        raise Mistake("which of them? list, create, show, history, undo, redo, export, import, drop")


@app.command("list")
def list_(
    limit: Limit = 20, before: Before = None, url: Url = DEFAULT_URL, key: Key = None, *, json: AsJson = False
) -> None:
    """All that there are, newest first."""
    answer = asyncio.run(ask(calls.sessions(before=before, limit=limit), url, key))
    if json:
        table.show_json(answer)
        return
    page = msgspec.convert(answer, SessionPage)
    if not page.sessions:
        out.print("no sessions")
    else:
        table.show(("session", "made", "ends", "member", "collections"), [_row(one) for one in page.sessions])
    if page.next:
        err.print(f"more of them: --before {page.next}")


def _row(one: ListedSession) -> tuple[object, ...]:
    return (one.session, one.created_at, one.ends_at, one.member, ", ".join(one.collections))


@app.command()
def drop(sessions: Sessions, url: Url = DEFAULT_URL, key: Key = None) -> None:
    """End sessions with all that they hold, at once; with a team's session its members' own too."""
    asyncio.run(_drop(sessions, url, key))


async def _drop(sessions: list[str], url: str, key: str | None) -> None:
    async with connect(url, key) as http:
        for session in sessions:
            await http.send(calls.drop_session(session))
            out.print(f"ended {session}", markup=False)


@app.command()
def create(url: Url = DEFAULT_URL, key: Key = None) -> None:
    """Make a session and print its id; it ends when it has not been used for some hours, or by `drop`."""
    made = asyncio.run(ask(calls.create_session(), url, key))
    out.print(msgspec.convert(made, NewSession).session, markup=False)


@app.command()
def show(
    session: Session, collection: Where = None, url: Url = DEFAULT_URL, key: Key = None, *, json: AsJson = False
) -> None:
    """In which collections it holds something, and how much in one of them."""
    name = checked(collection) if collection else None
    answer = asyncio.run(ask(calls.session(session, collection=name), url, key))
    if json:
        table.show_json(answer)
        return
    view = msgspec.convert(answer, SessionView)
    rows = [("made", view.created_at), ("collections", ", ".join(view.collections) or "none yet")]
    rows += [("team", view.team)] if view.team else []
    rows += [("members", ", ".join(view.members))] if view.members else []
    if view.sets is not None:
        rows += [(name, f"{getattr(view.sets.counts, name):,}") for name in SET_NAMES]
    table.show(("session", view.session), rows)


@app.command()
def history(
    session: Session, limit: Limit = 20, url: Url = DEFAULT_URL, key: Key = None, *, json: AsJson = False
) -> None:
    """What it asked, newest first."""
    answer = asyncio.run(ask(calls.history(session, limit=limit), url, key))
    if json:
        table.show_json(answer)
        return
    past = msgspec.convert(answer, SessionHistory).history
    table.show(("at", "collection", "asked"), [(one.at, one.collection, _words(one.search)) for one in past])


def _words(search: object) -> str:
    return msgspec.convert(search, Search).query.words or "by example" if search else "too long to be kept"


@app.command()
def undo(session: Session, collection: Name, url: Url = DEFAULT_URL, key: Key = None, *, json: AsJson = False) -> None:
    """Take its last change in a collection back."""
    _told(asyncio.run(ask(calls.undo(session, checked(collection)), url, key)), json=json)


@app.command()
def redo(session: Session, collection: Name, url: Url = DEFAULT_URL, key: Key = None, *, json: AsJson = False) -> None:
    """Do again what was taken back last."""
    _told(asyncio.run(ask(calls.redo(session, checked(collection)), url, key)), json=json)


def _told(answer: object, *, json: bool) -> None:
    if json:
        table.show_json(answer)
        return
    marked = msgspec.convert(answer, Marked)
    counts = ", ".join(f"{name} {getattr(marked.counts, name):,}" for name in SET_NAMES)
    out.print(f"{counts}; {marked.undo} more to undo, {marked.redo} to redo", markup=False)


@app.command()
def export(session: Session, to: Target = None, url: Url = DEFAULT_URL, key: Key = None) -> None:
    """Everything that it holds, as one JSON document."""
    document = msgspec.json.encode(asyncio.run(ask(calls.export_session(session), url, key)))
    if to is None:
        typer.echo(document)
        return
    try:
        to.write_bytes(document + b"\n")
    except OSError as error:
        raise Mistake(f"--to {str(to)!r}: {error.strerror}") from error


@app.command("import")
def import_(source: Source, into: Into = None, url: Url = DEFAULT_URL, key: Key = None) -> None:
    """Read such a document into a new session, or into one that there is, and print its id."""
    archive = _archive(source)
    made = calls.import_session(archive) if into is None else calls.replace_session(into, archive)
    out.print(asyncio.run(ask(made, url, key))["session"], markup=False)


def _archive(source: Path) -> Archive:
    try:
        document = sys.stdin.buffer.read() if str(source) == "-" else source.read_bytes()
    except OSError as error:
        raise Mistake(f"{str(source)!r}: {error.strerror}") from error
    try:
        return msgspec.json.decode(document, type=Archive)
    except (msgspec.DecodeError, ValueError) as error:
        raise Mistake(f"{str(source)!r} is no exported session: {error}") from error
