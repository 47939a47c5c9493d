"""The AsyncAPI 3 document of the websocket and the event stream, made from the types that they send and take."""

from functools import cache
from typing import Any, get_args

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api import frames
from api.answers import JSON
from api.openapi import REF, release, schemas_of
from shared.jobs import Search

DESCRIPTION = """One websocket carries searches and their results; `op` tells the frames apart. A connection that was
lost resumes at any process with `?session=…&after=SEQ`. One job's events also come as server-sent events."""

FROM_CLIENT: tuple[Any, ...] = get_args(frames.ClientFrame)
FROM_SERVER: tuple[Any, ...] = get_args(frames.ServerFrame)
OF_STREAM: tuple[Any, ...] = (frames.Happened, frames.Result)

CLOSES = {
    1001: "the process ends; reconnect",
    1007: "a frame was no JSON text",
    1008: "no key, a wrong one, or a foreign page",
    1009: "a frame was too large",
    1011: "no answer to a ping, or an error on our side",
    1013: "try later: too many connections or sessions, Redis is away, or events were lost",
    4008: "the client reads too slowly; reconnect to resume",
}

Schema = dict[str, Any]


async def document(request: Request[Any]) -> Response:
    return Response(encoded(), media_type=JSON)


@cache
def encoded() -> bytes:
    """Built once, when the application is created, so that no request waits for it."""
    return msgspec.json.encode(build())


def build() -> Schema:
    kinds = [*FROM_CLIENT, *FROM_SERVER]
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Clipline", "version": release(), "description": DESCRIPTION},
        "defaultContentType": JSON,
        "channels": {"live": _live(), "job": _job()},
        "operations": {
            "take": _operation("receive", "live", FROM_CLIENT, "What a client may ask for"),
            "tell": _operation("send", "live", FROM_SERVER, "What a client is told"),
            "stream": _operation("send", "job", OF_STREAM, "What happens to one job, until it has ended"),
        },
        "components": {
            "schemas": _schemas(kinds),
            "messages": {_op(kind): _message(kind) for kind in kinds},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "header": {"type": "httpApiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    }


def _schemas(kinds: list[Any]) -> Schema:
    _, schemas = schemas_of([*kinds, Search])
    # It is decoded after its frame, so that a search that is refused can be told by its frame's id.
    schemas[frames.SearchFrame.__name__]["properties"]["search"] = {"$ref": REF.format(name=Search.__name__)}
    return schemas


def _op(kind: Any) -> str:
    """The message's name: its `op`."""
    return str(kind.__struct_config__.tag)


def _message(kind: Any) -> Schema:
    return {
        "name": kind.__struct_config__.tag,
        "summary": (kind.__doc__ or "").partition("\n")[0],
        "payload": {"$ref": REF.format(name=kind.__name__)},
    }


def _live() -> Schema:
    closes = "; ".join(f"{code}: {reason}" for code, reason in CLOSES.items())
    text = {"type": "string", "maxLength": 128}
    return {
        "address": "/v1/ws",
        "description": f"JSON text frames. Close codes: {closes}.",
        "messages": _messages([*FROM_CLIENT, *FROM_SERVER]),
        "bindings": {"ws": {"query": {"type": "object", "properties": {"session": text, "after": text}}}},
    }


def _job() -> Schema:
    return {
        "address": "/v1/jobs/{job}/events",
        "description": "Server-sent events; `id` is the frame's `seq`. Resumes after Last-Event-ID.",
        "parameters": {"job": {"description": "the job's id"}},
        "messages": _messages(list(OF_STREAM)),
    }


def _messages(kinds: list[Any]) -> Schema:
    return {_op(kind): {"$ref": f"#/components/messages/{_op(kind)}"} for kind in kinds}


def _operation(action: str, channel: str, kinds: tuple[Any, ...], summary: str) -> Schema:
    return {
        "action": action,
        "summary": summary,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{_op(kind)}"} for kind in kinds],
    }
