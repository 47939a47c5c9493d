"""msgpack for everything that crosses Redis, including arq's own envelopes."""

from asyncio import CancelledError
from typing import Any

import msgspec
from arq.worker import JobExecutionFailed

from shared.errors import Cancelled, CliplineError, Expired, InternalError, Problem, WorkerLost
from shared.problems import problem_of


class Body(dict[str, Any]):
    """A job's arguments. arq logs the `repr` of them at every start; 100,000 seen ids should not be spelt out."""

    def __repr__(self) -> str:
        return f"<{len(self)} fields>"


def _from_arq(error: JobExecutionFailed) -> CliplineError:
    """arq has one class for all that it ends itself, and tells it in the text (worker.py, 0.28)."""
    text = str(error)
    if text.startswith("max "):
        return WorkerLost(f"given up after {text.removeprefix('max ').partition(' ')[0]} attempts")
    return Expired("the job's body expired in the queue") if text == "job expired" else InternalError(text)


def problem_in(error: BaseException) -> Problem:
    """What clients are told of an error that ended a job, arq's own ones among them."""
    if isinstance(error, CancelledError):
        error = Cancelled()
    elif isinstance(error, JobExecutionFailed):
        error = _from_arq(error)
    return problem_of(error)


def _encode_exception(value: object) -> Any:
    """arq puts exception objects into results; they travel as problems, never as pickles."""
    if isinstance(value, BaseException):
        return msgspec.to_builtins(problem_in(value))
    raise NotImplementedError(f"{type(value).__name__} does not travel")


_encoder = msgspec.msgpack.Encoder(enc_hook=_encode_exception)
_decoder = msgspec.msgpack.Decoder()


class Envelope(msgspec.Struct):
    """The part of arq's result envelope that we read; `r` stays undecoded until somebody wants it."""

    s: bool
    r: msgspec.Raw = msgspec.Raw(b"\xc0")


class JobBody(msgspec.Struct):
    """What arq writes of a job that waits: try, function, arguments, keyword arguments, enqueued at (ms)."""

    t: int | None = None
    f: str = "<unknown>"
    a: list[Any] = []
    k: dict[str, Any] = {}
    et: int = 0


_envelopes = msgspec.msgpack.Decoder(Envelope)
_bodies = msgspec.msgpack.Decoder(JobBody)


def encode(value: Any) -> bytes:
    """arq's `job_serializer`. A result's envelope leaves out the arguments, which the ledger's record already has."""
    if isinstance(value, dict) and "r" in value and "a" in value:
        value = {**value, "a": (), "k": {}}
    return _encoder.encode(value)


def decode(data: bytes) -> Any:
    """arq's `job_deserializer`."""
    value = _decoder.decode(data)
    if isinstance(value, dict) and "f" in value and isinstance(value.get("a"), list):
        value["a"] = [Body(part) if isinstance(part, dict) else part for part in value["a"]]
    return value


def decode_body(data: bytes | None) -> JobBody:
    """Raises JobExecutionFailed for a body that is gone or is none."""
    if data is None:
        raise JobExecutionFailed("job expired")
    try:
        return _bodies.decode(data)
    except msgspec.DecodeError as error:
        raise JobExecutionFailed("the job's body cannot be read") from error


def decode_envelope(data: bytes) -> Envelope:
    return _envelopes.decode(data)


def decode_result(envelope: Envelope) -> Any:
    """What the job answered, whatever its fields are called."""
    return _decoder.decode(envelope.r)
