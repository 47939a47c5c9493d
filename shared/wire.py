"""msgpack for everything that crosses Redis, including arq's own envelopes."""

from asyncio import CancelledError
from typing import Any

import msgspec

from shared.errors import Cancelled, problem_of


def _encode_exception(value: object) -> Any:
    """arq puts exception objects into results; they travel as problems, never as pickles."""
    if isinstance(value, CancelledError):
        return msgspec.to_builtins(Cancelled().problem())
    if isinstance(value, BaseException):
        return msgspec.to_builtins(problem_of(value))
    raise NotImplementedError(f"{type(value).__name__} does not travel")


_encoder = msgspec.msgpack.Encoder(enc_hook=_encode_exception)
_decoder = msgspec.msgpack.Decoder()


class Envelope(msgspec.Struct):
    """The part of arq's result envelope that we read; `r` stays undecoded until somebody wants it."""

    s: bool
    r: msgspec.Raw = msgspec.Raw(b"\xc0")


_envelopes = msgspec.msgpack.Decoder(Envelope)


def encode(value: Any) -> bytes:
    """arq's `job_serializer`. A result's envelope leaves out the arguments, which the ledger's record already has."""
    if isinstance(value, dict) and "r" in value and "a" in value:
        value = {**value, "a": (), "k": {}}
    return _encoder.encode(value)


def decode(data: bytes) -> Any:
    """arq's `job_deserializer`."""
    return _decoder.decode(data)


def decode_envelope(data: bytes) -> Envelope:
    return _envelopes.decode(data)
