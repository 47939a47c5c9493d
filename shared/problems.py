"""How what others raise becomes an error of ours: unexpected exceptions, and input that msgspec refuses."""

from typing import Any

import msgspec
from redis import exceptions

from shared.errors import BadRequest, CliplineError, EncoderAway, InternalError, Invalid, Problem, TimedOut, Unavailable


def problem_of(error: BaseException) -> Problem:
    """The problem a client sees; unexpected exceptions keep their text for the log alone."""
    if isinstance(error, CliplineError):
        return error.problem()
    if isinstance(error, TimeoutError):
        return TimedOut().problem()
    if isinstance(error, ConnectionError | exceptions.ConnectionError):
        return Unavailable(f"a connection was lost: {type(error).__name__}").problem()
    # torch's, told by its name: this module is imported where torch is not.
    if type(error).__name__ == "OutOfMemoryError":
        return EncoderAway("the device has no memory left").problem()
    return InternalError(f"{type(error).__name__}, see the worker's log").problem()


def from_validation(error: msgspec.ValidationError, *, root: str = "") -> Invalid:
    """Turn msgspec's "… - at `$.query.text`" into an error that names its field."""
    detail, _, path = str(error).partition(" - at `$")
    field = f"{root}{path.removesuffix('`')}".lstrip(".") or None
    return Invalid(detail, field=field)


def decode_json(data: bytes, type_: Any) -> Any:
    """Decode a client's JSON. Raises BadRequest for what is no JSON, Invalid for what breaks the type."""
    try:
        return msgspec.json.decode(data, type=type_)
    except msgspec.ValidationError as error:
        raise from_validation(error) from error
    except RecursionError as error:
        raise BadRequest("nested too deeply to be read") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"not JSON: {error}") from error
