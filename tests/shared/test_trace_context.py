"""What a job carries leads back to the request and to the trace."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from shared.trace_context import carried, followed, following, read, trace_id

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
REQUEST_ID = st.from_regex(r"[A-Za-z0-9._:-]{8,64}", fullmatch=True)
TRACEPARENTS = st.from_regex(r"00-[1-9a-f][0-9a-f]{31}-[1-9a-f][0-9a-f]{15}-0[01]", fullmatch=True)


@given(REQUEST_ID, st.none() | TRACEPARENTS)
def test_id_and_trace_come_back_as_they_went(request_id: str, traceparent: str | None) -> None:
    if trace_id(request_id) is None:
        assert read(carried(request_id, traceparent)) == (request_id, traceparent)


def test_an_id_that_is_the_trace_s_own_is_not_said_twice() -> None:
    assert carried("4bf92f3577b34da6a3ce929d0e0e4736", TRACEPARENT) == TRACEPARENT
    assert read(TRACEPARENT) == ("4bf92f3577b34da6a3ce929d0e0e4736", TRACEPARENT)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "00",
        TRACEPARENT[:-1],
        TRACEPARENT.upper(),
        "ff" + TRACEPARENT[2:],
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
    ],
)
def test_what_is_no_traceparent_is_none(text: str) -> None:
    assert trace_id(text) is None
    assert read(f"request/{text}") == (f"request/{text}", None)


@given(st.text(max_size=100))
def test_any_text_can_be_read(text: str) -> None:
    request_id, traceparent = read(text)
    assert traceparent is None or trace_id(traceparent)
    assert request_id or not text


def test_a_caller_is_followed_inside_alone() -> None:
    assert followed() is None
    with following(TRACEPARENT):
        assert followed() == TRACEPARENT
        with following(None):
            assert followed() is None
    assert followed() is None
