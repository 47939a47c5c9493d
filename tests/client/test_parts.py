"""The client's small parts: waiting times, addresses, feeds, frames."""

import subprocess
import sys
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import frames as api_frames
from client import frames, uploads
from client.address import Address
from client.backoff import Backoff
from client.feed import MOST, Feed
from client.frames import JobEvent, JobFrame, JobResult
from client.problems import Closed
from shared.jobs import State

pytestmark = pytest.mark.anyio

unit = st.floats(min_value=0, max_value=1, exclude_max=True)


@given(st.lists(unit, min_size=1, max_size=60), st.floats(0.001, 10), st.floats(0.001, 100), st.floats(0, 100))
def test_a_wait_lies_between_the_server_s_wish_and_a_ceiling_that_doubles(
    draws: list[float], base_s: float, cap_s: float, wish_s: float
) -> None:
    drawn = iter(draws)
    backoff = Backoff(base_s=base_s, cap_s=cap_s, random_=lambda: next(drawn))
    for attempt, fraction in enumerate(draws):
        ceiling_s = min(cap_s, base_s * 2.0**attempt)
        assert backoff.next_s(at_least_s=wish_s) == pytest.approx(wish_s + fraction * ceiling_s)
    backoff.reset()
    assert Backoff(random_=lambda: 0.0).next_s() == 0.0, "full jitter may also mean: at once"


@pytest.mark.parametrize(
    ("url", "websocket", "loopback"),
    [
        ("http://127.0.0.1:8000", "ws://127.0.0.1:8000/v1/ws", True),
        ("http://localhost", "ws://localhost/v1/ws", True),
        ("https://example.org/pictures/", "wss://example.org/pictures/v1/ws", False),
        ("http://[::1]:9000", "ws://[::1]:9000/v1/ws", True),
    ],
)
def test_the_websocket_s_address_follows_from_the_api_s(url: str, websocket: str, *, loopback: bool) -> None:
    address = Address.parse(url)
    assert (address.websocket, address.is_loopback) == (websocket, loopback)


def event(seq: int, state: State, at: str | None = None) -> JobEvent:
    return JobEvent(seq=f"{seq:05d}", job="j", state=state, at=at)


END = JobResult(seq="99999", job="j", state="succeeded", result={})


async def read(feed: Feed) -> list[JobFrame]:
    return [frame async for frame in feed.frames()]


async def test_a_reconnect_s_snapshot_is_no_news_but_the_result_is() -> None:
    feed = Feed()
    for frame in (event(3, "queued"), event(5, "running"), event(9, "running", at="later"), event(4, "queued")):
        feed.put(frame)
    feed.put(JobResult(seq="00001", job="j", state="succeeded", result={}))
    feed.put(event(99, "queued"))
    assert [frame.state for frame in await read(feed)] == ["queued", "running", "succeeded"]


async def test_a_feed_that_nobody_reads_keeps_the_newest_and_the_end() -> None:
    feed = Feed()
    for seq in range(3 * MOST):
        feed.put(event(seq, "queued" if seq % 2 else "running"))
    feed.put(END)
    frames_ = await read(feed)
    assert len(frames_) == MOST
    assert frames_[-1] == END


async def test_a_feed_that_fails_tells_first_what_came_before() -> None:
    feed = Feed()
    feed.put(event(1, "queued"))
    feed.fail(Closed())
    reading = feed.frames()
    assert (await anext(reading)).state == "queued"
    with pytest.raises(Closed):
        await anext(reading)


@pytest.mark.parametrize("text", ["", "{", "null", "[]", '{"op": "later"}', '{"op": "event"}', b"\xff"])
def test_what_a_newer_server_may_say_is_passed_over(text: str | bytes) -> None:
    assert frames.decode(text) is None


def test_fields_that_are_new_are_passed_over_too() -> None:
    told = frames.decode('{"op": "event", "id": null, "seq": "1", "job": "j", "state": "running", "mood": "good"}')
    assert told == JobEvent(seq="1", job="j", state="running")


def test_the_client_knows_every_field_of_the_frames_about_jobs() -> None:
    ours = {kind.__struct_config__.tag: set(kind.__struct_fields__) for kind in get_args(frames.ServerFrame)}
    about_jobs = (api_frames.Welcome, api_frames.Accepted, api_frames.Happened, api_frames.Result, api_frames.Refused)
    for kind in about_jobs:
        assert set(kind.__struct_fields__) <= ours[kind.__struct_config__.tag], kind


@given(st.lists(st.integers(0, 40 * 2**20), max_size=400))
def test_groups_keep_the_order_and_their_bounds(sizes: list[int]) -> None:
    groups = list(uploads.by_size(sizes, lambda size: size))
    assert [size for group in groups for size in group] == sizes
    assert all(len(group) <= uploads.MAX_FILES for group in groups)
    assert all(sum(group) <= uploads.MAX_BYTES or len(group) == 1 for group in groups)


def test_importing_the_client_brings_no_server_no_websocket_and_no_model() -> None:
    heavy = "{'torch', 'qdrant_client', 'PIL', 'numpy', 'starlette', 'uvicorn', 'arq', 'websockets'}"
    probe = f"import sys, client; print(sorted({heavy} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
