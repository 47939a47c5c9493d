"""What a worker leaves to the one that takes its place on this machine: its name, and what it measured."""

import os
from collections.abc import Callable, Mapping

import msgspec

from workers.parts import Parts
from workers.sizing import Sizing, measured_as

READ_BYTES = 64 * 2**10


class Legacy(msgspec.Struct, frozen=True, kw_only=True):
    """`sizings` by what was measured, so that other weights, or another device, are measured anew."""

    worker_id: str = ""
    sizings: Mapping[str, Sizing] = msgspec.field(default_factory=dict)


NOTHING = Legacy()
Bequeath = Callable[[Legacy], None]


def legacy(worker_id: str, parts: Parts, sizings: Mapping[str, Sizing]) -> Legacy:
    """`sizings` come by the models' names."""
    return Legacy(
        worker_id=worker_id,
        sizings={measured_as(parts.of(name).encoder.info): sizing for name, sizing in sizings.items()},
    )


class Testament:
    """A pipe from a worker to its parent: written once, before the first job is taken, read when the worker is dead."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)

    def write(self, legacy: Legacy) -> None:
        os.write(self._writer, msgspec.msgpack.encode(legacy))

    def read(self) -> Legacy | None:
        """None from a worker that took no jobs."""
        try:
            told = os.read(self._reader, READ_BYTES)
        except BlockingIOError:
            return None
        return msgspec.msgpack.decode(told, type=Legacy) if told else None

    def close(self) -> None:
        os.close(self._reader)
        os.close(self._writer)
