"""Commands look the same on the wire as those that redis-py packs itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio.connection import Connection
from redis.exceptions import DataError

from shared.packing import PackedInC


class Packed(PackedInC, Connection):  # type: ignore[misc]  # mypy skips redis-py
    """As the pools make them."""


arguments = st.lists(st.one_of(st.text(), st.binary(max_size=10_000), st.integers(-(2**63), 2**63 - 1)), max_size=8)


@given(name=st.sampled_from(["GET", "CONFIG GET", b"SET", "EVALSHA"]), rest=arguments)
def test_every_command_has_the_same_bytes(name: str | bytes, rest: list[str | bytes | int]) -> None:
    assert b"".join(Packed().pack_command(name, *rest)) == b"".join(Connection().pack_command(name, *rest))


def test_what_redis_has_no_form_for_is_refused() -> None:
    with pytest.raises(DataError):
        Packed().pack_command("SET", "key", None)
