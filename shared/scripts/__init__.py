"""Lua scripts, one file each: every change of several keys is one of them, and its comment names the race it closes."""

from functools import cache
from importlib.resources import files

from shared import wire
from shared.errors import Cancelled, CliplineError, Expired, Superseded, WorkerLost
from shared.settings import Settings

# How a job ends that no worker ends, and what its record says then.
PROBLEMS: dict[str, CliplineError] = {
    "cancelled": Cancelled(),
    "superseded": Superseded(),
    "expired": Expired(),
    "dead": WorkerLost(),
}


def source(name: str, settings: Settings) -> str:
    """The script's text, with the settings' bounds and the shared functions of `lib.lua` before it.

    The bounds are constants of the text, so that no call has to bring and unpack them.
    """
    return _bounds(settings) + _texts("lib", name)


def alone(name: str) -> str:
    """The text of a script that needs neither bounds nor shared functions."""
    return _texts(name)


@cache
def _texts(*names: str) -> str:
    return "".join((files(__name__) / f"{name}.lua").read_text() for name in names)


def _bounds(settings: Settings) -> str:
    constants = {
        "KEEP_EVENTS": settings.keep_events,
        "KEEP_S": int(settings.keep_jobs_s),
        "KEEP_JOBS": settings.keep_jobs,
        "KEEP_DEAD": settings.keep_dead,
        "KEEP_DEAD_S": int(settings.keep_dead_s),
        "MAX_CRASHES": settings.max_crashes,
    }
    return "".join(f"local {name} = {value}\n" for name, value in constants.items()) + _problem_of()


@cache
def _problem_of() -> str:
    """A Lua function from such a state to its problem in msgpack."""
    cases = [
        f"  if state == '{state}' then return {_quoted(wire.encode(error.problem()))} end\n"
        for state, error in PROBLEMS.items()
    ]
    return "local function problem_of(state)\n" + "".join(cases) + "end\n"


def _quoted(value: bytes) -> str:
    return '"' + "".join(f"\\{byte:03d}" for byte in value) + '"'
