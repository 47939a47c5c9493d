"""`clipline collections`: list, show, create, drop; `cli/reindex.py` has one more."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, get_args

import msgspec
import typer

from cli import table
from cli.failures import Failure, Mistake
from cli.options import DEFAULT_URL, AsJson, Key, Url, group, out
from cli.remote import ask, connect
from client import calls
from client.calls import Call
from shared.filter_check import FieldType
from shared.jobs import Collection, CollectionSpec
from shared.jobs import Name as CollectionName

app = group("Collections of pictures; without a command, all of them.")

Name = Annotated[str, typer.Argument(help="The collection's name.")]
Fields = Annotated[
    list[str] | None,
    typer.Option(
        "--field", metavar="NAME:TYPE", help=f"Filterable payload: {', '.join(get_args(FieldType))}; repeatable."
    ),
]
GroupField = Annotated[str | None, typer.Option("--group-field", help="Payload field that groups pictures.")]
ModelName = Annotated[
    str | None, typer.Option("--model", metavar="NAME", help="A name of CLIPLINE_MODELS; without, the default model.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@app.callback()
def default(context: typer.Context, url: Url = DEFAULT_URL, key: Key = None, *, json: AsJson = False) -> None:
    """Collections of pictures; without a command, all of them.

    Examples:

        clipline collections

        clipline collections create photos --field year:integer --field place:keyword

        clipline collections reindex photos

        clipline collections drop photos --yes
    """
    if context.invoked_subcommand is None:
        list_(url=url, key=key, json=json)


@app.command("list")
def list_(url: Url = DEFAULT_URL, key: Key = None, *, json: AsJson = False) -> None:
    """All collections with their counts."""
    answer = asyncio.run(ask(calls.collections(), url, key))
    if json:
        table.show_json(answer)
        return
    found = [msgspec.convert(one, Collection) for one in answer["collections"]]
    if not found:
        out.print("no collections; `clipline ingest PATH --collection NAME` makes one")
        return
    table.show(("name", "pictures", "model", "fingerprint", "fields"), [_row(one) for one in found])


@app.command()
def show(name: Name, url: Url = DEFAULT_URL, key: Key = None) -> None:
    """One collection as JSON: count, model, payload fields."""
    answer = asyncio.run(ask(calls.collection(checked(name)), url, key))
    out.print(msgspec.json.format(msgspec.json.encode(answer)).decode(), markup=False)


@app.command()
def create(
    name: Name,
    field: Fields = None,
    group_field: GroupField = None,
    model: ModelName = None,
    url: Url = DEFAULT_URL,
    key: Key = None,
) -> None:
    """Make a collection; one that is the same already is left as it is."""
    spec = msgspec.structs.replace(spec_of(field or [], group_field), model_name=model)
    asyncio.run(_change(calls.create_collection(checked(name), spec), url, key))
    out.print(f"collection {name} is there")


@app.command()
def drop(name: Name, url: Url = DEFAULT_URL, key: Key = None, *, yes: Yes = False) -> None:
    """Remove a collection with all of its vectors and thumbnails; the original files stay."""
    if not yes and not typer.confirm(f"Drop {name} with everything in it?"):
        raise Failure("nothing was dropped")
    asyncio.run(_change(calls.drop_collection(checked(name)), url, key))
    out.print(f"collection {name} is gone")


def spec_of(fields: Sequence[str], group_field: str | None) -> CollectionSpec:
    """Raises Mistake for a field that is not NAME:TYPE."""
    pairs = dict(one.rpartition(":")[::2] for one in fields)
    try:
        return msgspec.convert({"payload": pairs, "group_field": group_field}, CollectionSpec)
    except msgspec.ValidationError as error:
        raise Mistake(f"--field NAME:TYPE: {error}") from error


def checked(name: str) -> str:
    """Raises Mistake for what cannot be a collection's name."""
    try:
        return msgspec.convert(name, CollectionName)
    except msgspec.ValidationError as error:
        raise Mistake(f"{name!r} is no collection's name: small letters, digits, - and _, at most 63") from error


async def _change(call: Call, url: str, key: str | None) -> None:
    async with connect(url, key) as http:
        await http.changed(call)


def _row(one: Collection) -> tuple[object, ...]:
    return (
        one.name,
        one.count,
        one.model_name,
        one.model,
        ", ".join(f"{field}:{type_}" for field, type_ in one.payload.items()),
    )
