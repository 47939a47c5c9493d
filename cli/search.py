"""`clipline search`: ranked hits for a text."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Annotated, Any

import msgspec
import typer

from cli import table
from cli.collections import checked
from cli.failures import Mistake
from cli.options import DEFAULT_URL, AsJson, Key, Url, out
from cli.remote import connect
from client import calls
from client.answers import CollectionList
from client.http import Http
from client.problems import succeeded
from shared.filters import Condition, Filter
from shared.jobs import Group, Query, Search, SearchResult, Then

MAX_STEPS = 3

Text = Annotated[
    str | None,
    typer.Argument(help="What the pictures should show; not needed where a session's examples, or --next, tell."),
]
Name = Annotated[
    str | None, typer.Option("--collection", "-c", metavar="NAME", help="Where to look; not needed when there is one.")
]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=1_000, help="How many hits at most.")]
Where = Annotated[
    list[str] | None,
    typer.Option("--where", metavar="FIELD=VALUE", help="Only pictures with this payload; repeatable."),
]
After = Annotated[
    list[str] | None,
    typer.Option("--then", metavar="TEXT", help="What comes next in the same video; up to three times."),
]
Within = Annotated[
    float, typer.Option("--within", metavar="SECONDS", min=0.001, max=86_400, help="How soon, after the step before.")
]
Session = Annotated[
    str | None,
    typer.Option(
        "--session", metavar="ID", help="Leave out what this session has seen, and use its marks; see `sessions`."
    ),
]
Remember = Annotated[bool, typer.Option("--remember", help="What is shown joins what the session has seen.")]
Next = Annotated[bool, typer.Option("--next", help="The next page of the session's last search.")]
Timeout = Annotated[float, typer.Option("--timeout", min=1, help="Seconds to wait for the answer.")]


def search(
    text: Text = None,
    collection: Name = None,
    limit: Limit = 10,
    where: Where = None,
    then: After = None,
    within: Within = 30.0,
    session: Session = None,
    timeout: Timeout = 60.0,
    url: Url = DEFAULT_URL,
    key: Key = None,
    *,
    remember: Remember = False,
    next: Next = False,
    json: AsJson = False,
) -> None:
    """Find the pictures nearest to a text: rank, score, id, label or source, and a line where they become less likely.

    Examples:

        clipline search "a happy cat"

        clipline search "red fruit" --collection pictograms --limit 5 --where group=food-drink

        clipline search "a ship leaves" --then "open sea" --within 10 --collection videos

        clipline search fox --session $(clipline sessions create) --remember

        clipline search cat --json | jq '.hits[0].id'
    """
    steps = [Then(query=_query(one), within_s=within) for one in then or []]
    if len(steps) > MAX_STEPS:
        raise Mistake(f"--then: at most {MAX_STEPS} times")
    sitting = Sitting(session, remember=remember, next=next)
    wanted = Wanted(text, collection, limit, filter_of(where or []), steps, sitting, timeout)
    _require_sense(wanted)
    asyncio.run(_search(wanted, url, key, json=json))


@dataclass(frozen=True, slots=True)
class Sitting:
    """The session that takes part, and how."""

    session: str | None
    remember: bool
    next: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asks for; without a collection, the only one."""

    text: str | None
    collection: str | None
    limit: int
    where: Filter | None
    then: list[Then]
    sitting: Sitting
    timeout_s: float


def _require_sense(wanted: Wanted) -> None:
    """Raises Mistake, in the words of the command line, before anybody is asked."""
    sitting = wanted.sitting
    if sitting.session is None and (sitting.next or sitting.remember):
        raise Mistake(f"--{'next' if sitting.next else 'remember'} needs a --session")
    if sitting.next and (wanted.text is not None or wanted.where is not None or wanted.then):
        raise Mistake("--next goes on with the last search as it was: without a text, --where and --then")
    if wanted.text is None and sitting.session is None:
        raise Mistake("what should the pictures show? a text, or a --session that has marked examples")


async def _search(wanted: Wanted, url: str, key: str | None, *, json: bool) -> None:
    async with connect(url, key) as http:
        name = checked(wanted.collection) if wanted.collection else await _only_collection(http)
        result = succeeded(await http.ended(calls.search(_search_in(name, wanted)), timeout_s=wanted.timeout_s)).result
        if json:
            table.show_json(result)
        else:
            _show(msgspec.convert(result, SearchResult))


def _search_in(collection: str, wanted: Wanted) -> Search:
    asked = {
        "collection": collection,
        "query": Query() if wanted.text is None else _query(wanted.text),
        "then": wanted.then,
        "limit": wanted.limit,
        "filter": wanted.where,
        "session": wanted.sitting.session,
        "remember": wanted.sitting.remember,
        "next": wanted.sitting.next,
    }
    try:
        return msgspec.convert(msgspec.to_builtins(asked), Search)
    except msgspec.ValidationError as error:
        raise Mistake(f"--session: {str(error).partition(' - at')[0]}") from error


def _query(text: str) -> Query:
    try:
        return msgspec.convert({"text": text}, Query)
    except msgspec.ValidationError as error:
        raise Mistake(f"the text: {str(error).partition(' - at')[0]}") from error


async def _only_collection(http: Http) -> str:
    names = [one.name for one in (await http.read(calls.collections(), CollectionList)).collections]
    if len(names) == 1:
        return names[0]
    if not names:
        raise Mistake("there is no collection yet; `clipline ingest PATH --collection NAME` makes one")
    raise Mistake(f"which collection? --collection {' | '.join(names)}")


def filter_of(conditions: Sequence[str]) -> Filter | None:
    """`FIELD=VALUE` each; a whole number is taken as one. Raises Mistake."""
    return Filter(must=[_condition(one) for one in conditions]) if conditions else None


def _condition(text: str) -> Condition:
    field, equals, value = text.partition("=")
    if not equals:
        raise Mistake(f"--where {text!r}: FIELD=VALUE is expected")
    try:
        return msgspec.convert({"key": field, "match": int(value) if value.isdecimal() else value}, Condition)
    except msgspec.ValidationError as error:
        raise Mistake(f"--where {text!r}: {str(error).partition(' - at')[0]}") from error


def _show(result: SearchResult) -> None:
    hits = result.hits or []
    if not (hits or result.groups):
        out.print("nothing found")
        return
    if result.groups:
        table.show(("rank", "score", "group", "moments", "ids"), list(map(_sequence, result.groups, count(1))))
        out.print(f"{len(result.groups)} groups in {result.took.total_ms:.0f} ms")
        return
    names = [name_of(hit.payload or {}) or hit.source or "" for hit in hits]
    rows = [(rank, f"{hit.score:.3f}", hit.id, names[rank - 1]) for rank, hit in enumerate(hits, start=1)]
    rule = (result.relevant, "less likely from here") if result.relevant is not None else None
    table.show(("rank", "score", "id", "label or source"), rows, rule=rule)
    took = result.took
    likely = f", {result.relevant} of them likely," if result.relevant is not None else ""
    out.print(
        f"{len(hits)} hits{likely} in {took.total_ms:.0f} ms (encoder {took.encode_ms:.0f}, store {took.search_ms:.0f})"
    )


def _sequence(group: Group, rank: int) -> tuple[object, ...]:
    """A row of the table: when each step is to be seen."""
    moments = " → ".join(clock((hit.payload or {}).get("start_s")) for hit in group.hits)
    return rank, f"{group.score or 0:.3f}", group.group, moments, " ".join(str(hit.id) for hit in group.hits)


def clock(seconds: Any) -> str:
    """As players show it: 1:02:03."""
    if not isinstance(seconds, int | float):
        return "?"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}" if minutes >= 60 else f"{minutes}:{rest:02}"


def name_of(payload: Mapping[str, Any]) -> str:
    """What a person knows the picture by."""
    return str(next((payload[field] for field in ("label", "title", "name") if payload.get(field)), ""))
