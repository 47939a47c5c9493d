"""msgpack crosses Redis, nothing else does."""

import asyncio
import pickletools
from typing import Any

import msgspec
import pytest
from arq.jobs import deserialize_job_raw, deserialize_result, serialize_job, serialize_result
from arq.worker import JobExecutionFailed
from hypothesis import given
from hypothesis import strategies as st

from shared import wire
from shared.errors import BadPicture, CliplineError, Problem, StoreAway
from tests.shared.examples import some

integers = st.integers(-(2**63), 2**64 - 1)
scalars = st.none() | st.booleans() | integers | st.floats(allow_nan=False) | st.text() | st.binary(max_size=50)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
)
bodies = st.dictionaries(st.text(max_size=8), values, max_size=5)


def ended(result: Any, *, success: bool = False) -> bytes:
    data = serialize_result(
        "search", ({"big": 1},), {"tenant": "t"}, 1, 5, success, result, 6, 7, "r", "q", "id", serializer=wire.encode
    )
    assert data is not None
    return data


@some
@given(values)
def test_what_is_encoded_comes_back(value: Any) -> None:
    decoded = wire.decode(wire.encode({"value": value}))
    assert decoded == {"value": value}


@some
@given(bodies, bodies)
def test_a_job_crosses_arqs_own_serialisation(body: dict[str, Any], call: dict[str, Any]) -> None:
    data = serialize_job("search", (body,), call, None, 1_700_000_000_000, serializer=wire.encode)
    assert data is not None
    name, args, kwargs, _, enqueued_ms = deserialize_job_raw(data, deserializer=wire.decode)
    assert (name, list(args), kwargs, enqueued_ms) == ("search", [body], call, 1_700_000_000_000)


@some
@given(bodies)
def test_a_result_crosses_arqs_own_serialisation_without_the_arguments(result: dict[str, Any]) -> None:
    found = deserialize_result(ended(result, success=True), deserializer=wire.decode)
    assert (found.success, found.result) == (True, result)
    assert (list(found.args), found.kwargs) == ([], {})


@some
@given(st.dictionaries(st.sampled_from(["f", "a", "r", "k"]), bodies))
def test_a_result_with_the_names_of_arqs_envelope_is_read_as_it_is(result: dict[str, Any]) -> None:
    envelope = wire.decode_envelope(ended(result, success=True))
    assert wire.decode_result(envelope) == result


def test_arguments_are_not_spelt_out_in_logs() -> None:
    data = serialize_job("search", ({"seen": [1, 2, 3]},), {}, None, 1, serializer=wire.encode)
    assert data is not None
    _, args, _, _, _ = deserialize_job_raw(data, deserializer=wire.decode)
    assert repr(args) == "[<1 fields>]"


@pytest.mark.parametrize(
    ("error", "slug", "status"),
    [
        (BadPicture("cut off"), "bad-picture", 422),
        (StoreAway("no route"), "store-away", 503),
        (asyncio.CancelledError(), "cancelled", 409),
        (TimeoutError(), "timed-out", 504),
        (RuntimeError("password=hunter2"), "internal-error", 500),
        (JobExecutionFailed("max 3 retries exceeded"), "worker-lost", 500),
        (JobExecutionFailed("job expired"), "expired", 504),
        (JobExecutionFailed("function 'x' not found"), "internal-error", 500),
    ],
)
def test_an_exception_becomes_a_problem(error: BaseException, slug: str, status: int) -> None:
    envelope = wire.decode_envelope(ended(error))
    problem = msgspec.msgpack.decode(envelope.r, type=Problem)
    assert (envelope.s, problem.type, problem.status) == (False, slug, status)
    assert "hunter2" not in problem.detail


@some
@given(st.text(max_size=50), st.none() | st.text(max_size=20), st.none() | st.integers(0, 100))
def test_an_error_of_ours_keeps_all_that_it_says(detail: str, field: str | None, retry_after_s: int | None) -> None:
    error = BadPicture(detail, field=field, retry_after_s=retry_after_s)
    problem = msgspec.msgpack.decode(wire.decode_envelope(ended(error)).r, type=Problem)
    assert problem == error.problem()


class Surprise:
    """Says that it was unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("it was unpickled",))


def test_objects_do_not_travel() -> None:
    with pytest.raises(NotImplementedError, match="Surprise does not travel"):
        wire.encode({"value": Surprise()})


@some
@given(values | st.just(CliplineError("x")))
def test_nothing_on_the_wire_is_a_pickle(value: Any) -> None:
    data = wire.encode({"value": value})
    with pytest.raises(ValueError, match=r".+"):
        list(pickletools.genops(data[:1]))


@some
@given(st.binary(max_size=200))
def test_foreign_bytes_are_refused_or_decoded_as_msgpack(data: bytes) -> None:
    try:
        value = wire.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return
    assert msgspec.msgpack.decode(data) == value or value != value
