"""The TypeScript of what the API and its clients say to each other: `python -m api.typescript > …/contract.ts`."""

import sys
from collections.abc import Callable, Iterable
from typing import Any, get_args

import msgspec
from msgspec import inspect

from api import frames
from api.lanes import LaneView
from api.operations import OPERATIONS, Plain, Upload
from shared.audit import Entry
from shared.errors import Problem
from shared.filters import Range
from shared.fleet import WorkerInfo
from shared.jobs import (
    Collection,
    File,
    IngestResult,
    ItemsResult,
    JobView,
    Kind,
    Lane,
    Query,
    Search,
    SearchResult,
    State,
)
from shared.ledger import Page

HEAD = """/** What the API and its clients say to each other; made from the API's types by `npm run contract`. */

export type Scalar = string | number | boolean;
export type Payload = Record<string, unknown>;
"""
MOST_CHARS = 110

# The wire's own names are for the two sides of a socket; these are for people who write pages.
NAMES: dict[type[msgspec.Struct], str] = {
    JobView: "Job",
    LaneView: "Queue",
    WorkerInfo: "Worker",
    Page: "JobPage",
    Entry: "AuditEntry",
    # Browsers have a File and a Range of their own.
    File: "FileReference",
    Range: "NumberRange",
    frames.Hello: "HelloFrame",
    frames.Cancel: "CancelFrame",
    frames.Watch: "WatchFrame",
    frames.Ping: "PingFrame",
    frames.Follow: "FollowFrame",
    frames.Accepted: "AcceptedFrame",
    frames.Happened: "JobEvent",
    frames.Result: "JobResult",
    frames.Refused: "RefusedFrame",
    frames.Pong: "PongFrame",
    frames.Pulse: "PulseFrame",
}
LITERALS: tuple[tuple[Any, str], ...] = ((State, "JobState"), (Kind, "JobKind"), (Lane, "Lane"))
ALIASES = {frozenset(get_args(kind)): name for kind, name in LITERALS}
# Fields that are decoded later than their struct, so that their type says less than is known.
FIELDS: dict[tuple[type[msgspec.Struct], str], str] = {(frames.SearchFrame, "search"): "Search"}
NOTES: dict[tuple[type[msgspec.Struct], str], str] = {(Query, "image"): "Base64, without a data: prefix."}
RESULTS: tuple[Any, ...] = (SearchResult, IngestResult, ItemsResult, Collection)


def document() -> str:
    """The whole module; the same types give the same text."""
    unions = {"ClientFrame": frames.ClientFrame, "ServerFrame": frames.ServerFrame}
    structs = _structs([Problem, Search, *RESULTS, *_of_operations(), *unions.values()])
    aliases = [_alias(name, [_quoted(value) for value in get_args(kind)]) for kind, name in LITERALS]
    named = [_alias(name, [_name(kind) for kind in get_args(union)]) for name, union in unions.items()]
    return "\n".join([HEAD + "\n".join(aliases), *(_interface(kind) for kind in structs), "", *named]) + "\n"


def _of_operations() -> list[Any]:
    kinds = [kind for one in OPERATIONS for kind in (*one.body.values(), *one.answers.values())]
    return [kind for kind in kinds if kind is not None and kind is not Upload and not isinstance(kind, Plain)]


def _structs(roots: Iterable[Any]) -> list[type[msgspec.Struct]]:
    """All that the roots reach, each once, what is mentioned first first. Raises ValueError for a name given twice."""
    found: dict[type[msgspec.Struct], None] = {}
    for info in inspect.multi_type_info(list(roots)):
        _reach(info, found)
    names = [_name(kind) for kind in found]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"two types want the name {min(twice)}; give one of them another in NAMES")
    return list(found)


def _reach(info: inspect.Type, found: dict[type[msgspec.Struct], None]) -> None:
    match info:
        case inspect.StructType(cls=kind, fields=fields):
            if kind not in found:
                found[kind] = None
                for field in fields:
                    _reach(field.type, found)
        case inspect.UnionType(types=types):
            for one in types:
                _reach(one, found)
        case inspect.ListType(item_type=inner) | inspect.DictType(value_type=inner) | inspect.Metadata(type=inner):
            _reach(inner, found)
        case _:
            return


def _interface(kind: type[msgspec.Struct]) -> str:
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType), "only structs are reached"
    lines = [f"  op: {_quoted(info.tag)};"] if info.tag_field == "op" else []
    for field in info.fields:
        note = NOTES.get((kind, field.name))
        lines += [f"  /** {note} */"] if note else []
        lines.append(f"  {_field(kind, field, strict=not info.forbid_unknown_fields)};")
    return "\n".join([f"\n{_about(kind)}export interface {_name(kind)} {{", *lines, "}"])


def _field(kind: type[msgspec.Struct], field: inspect.Field, *, strict: bool) -> str:
    """What may be left out: in requests, which are those that forbid unknown names, all that has a default."""
    # UNSET is no default in msgspec's own eyes, and no part of the type.
    unset = not field.required and field.default is field.default_factory is msgspec.NODEFAULT
    omitted = unset or (not field.required and (kind.__struct_config__.omit_defaults or not strict))
    type_ = FIELDS.get((kind, field.name)) or _type(field.type)
    # Whoever may leave a field out need not say null.
    shown = type_.removesuffix(" | null") if omitted and field.default is None else type_
    return f"{field.encode_name}{'?' if omitted else ''}: {shown}"


def _about(kind: type[msgspec.Struct]) -> str:
    text = (kind.__doc__ or "").strip().partition("\n")[0]
    # A struct without a docstring gets its signature as one.
    return f"/** {text} */\n" if text and not text.startswith(f"{kind.__name__}(") else ""


PLAIN: dict[type[inspect.Type], str] = {
    inspect.StrType: "string",
    inspect.BytesType: "string",
    inspect.IntType: "number",
    inspect.FloatType: "number",
    inspect.BoolType: "boolean",
    inspect.DateTimeType: "string",
    inspect.NoneType: "null",
    inspect.AnyType: "unknown",
    inspect.RawType: "unknown",
}


def _type(info: inspect.Type) -> str:
    if (plain := PLAIN.get(type(info))) is not None:
        return plain
    return WRITERS[type(info)](info)


def _literal(info: Any) -> str:
    return ALIASES.get(frozenset(info.values)) or " | ".join(_quoted(value) for value in info.values)


def _union(info: Any) -> str:
    """`null` comes last."""
    kinds = list(dict.fromkeys(_type(one) for one in info.types))
    if {"string", "number", "boolean"} <= set(kinds):
        kinds = ["Scalar", *(kind for kind in kinds if kind not in {"string", "number", "boolean"})]
    return " | ".join(sorted(kinds, key=lambda kind: kind == "null"))


def _list(info: Any) -> str:
    inner = _type(info.item_type)
    return f"({inner})[]" if " | " in inner else f"{inner}[]"


def _dict(info: Any) -> str:
    inner = _type(info.value_type)
    return "Payload" if inner == "unknown" else f"Record<string, {inner}>"


WRITERS: dict[type[inspect.Type], Callable[[Any], str]] = {
    inspect.Metadata: lambda info: _type(info.type),
    inspect.StructType: lambda info: _name(info.cls),
    inspect.LiteralType: _literal,
    inspect.UnionType: _union,
    inspect.ListType: _list,
    inspect.DictType: _dict,
}


def _name(kind: type[msgspec.Struct]) -> str:
    return NAMES.get(kind, kind.__name__)


def _quoted(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _alias(name: str, kinds: list[str]) -> str:
    line = f"export type {name} = {' | '.join(kinds)};"
    if len(line) <= MOST_CHARS:
        return line
    return "\n".join([f"export type {name} =", *(f"  | {kind}" for kind in kinds)]) + ";"


if __name__ == "__main__":
    sys.stdout.write(document())
