"""What the document says of frames is what frames are."""

import json
from typing import Any, get_args

import msgspec
import pytest
from jsonschema_rs import Draft202012Validator

from api import asyncapi, frames
from tests.api.conftest import Client
from tests.api.serving import Api
from tests.api.stand_in import StandIn
from tests.api.streaming import streaming
from tests.api.talking import Frame, talking

pytestmark = pytest.mark.anyio

SENT: list[Frame] = [
    {"op": "hello", "key": "clk_x"},
    {"op": "search", "id": "c1", "search": {"collection": "things", "query": {"text": "a cat"}, "slot": "s"}},
    {"op": "cancel", "job": "j"},
    {"op": "watch", "job": "j", "id": "w"},
    {"op": "ping"},
]


def follow(document: dict[str, Any], reference: str) -> dict[str, Any]:
    found = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def validator(document: dict[str, Any], op: str) -> Draft202012Validator:
    payload = document["components"]["messages"][op]["payload"]
    return Draft202012Validator({**payload, "components": document["components"]})


def test_every_reference_leads_somewhere_and_every_frame_is_a_message() -> None:
    document = asyncapi.build()
    for operation in document["operations"].values():
        for message in operation["messages"]:
            reference = follow(document, message["$ref"])["$ref"]
            follow(document, follow(document, reference)["payload"]["$ref"])
        assert "address" in follow(document, operation["channel"]["$ref"])
    ops = {kind.__struct_config__.tag for kind in (*get_args(frames.ClientFrame), *get_args(frames.ServerFrame))}
    assert set(document["components"]["messages"]) == ops


async def test_the_document_is_served(client: Client) -> None:
    answer = await client.get("/asyncapi.json")
    assert (answer.status_code, answer.json()["asyncapi"]) == (200, "3.0.0")
    assert answer.json() == msgspec.json.decode(asyncapi.encoded())


@pytest.mark.parametrize("frame", SENT, ids=lambda frame: frame["op"])
def test_frames_that_are_taken_are_described(frame: Frame) -> None:
    assert frames.decode(json.dumps(frame)).__struct_config__.tag == frame["op"]
    validator(asyncapi.build(), frame["op"]).validate(frame)
    assert not validator(asyncapi.build(), frame["op"]).is_valid({**frame, "loud": True})


async def test_frames_that_are_sent_are_what_the_document_promises(
    api: Api, client: Client, things: str, worker: StandIn
) -> None:
    heard: list[Frame] = []
    async with talking(api) as talk:
        heard.append(talk.welcome)
        for text in ("a cat", "fail it"):
            await talk.search("c1", text)
            heard += await talk.until("result")
        await talk.say("sing", id="s")
        await talk.say("watch", job=heard[-1]["job"])
        await talk.say("ping", id="p")
        heard += await talk.until("pong")
    async with streaming(client, heard[-2]["job"]) as stream:
        heard += [told.frame for told in await stream.rest()]

    document = asyncapi.build()
    for frame in heard:
        validator(document, frame["op"]).validate(frame)
    assert {frame["op"] for frame in heard} == {"welcome", "accepted", "event", "result", "error", "pong"}
