"""Lua scripts, one file each: every change of several keys is one of them, and its comment names the race it closes."""

import re
from functools import cache
from importlib.resources import files

from shared import wire
from shared.errors import Cancelled, CliplineError, Expired, Superseded, WorkerLost
from shared.settings import Settings

DEFINITION = re.compile(r"^local (?:function )?(\w+)", re.MULTILINE)
WORD = re.compile(r"\w+")
# How a job ends that no worker ends, and what its record says then.
PROBLEMS: dict[str, CliplineError] = {
    "cancelled": Cancelled(),
    "superseded": Superseded(),
    "expired": Expired(),
    "dead": WorkerLost(),
}


def source(name: str, settings: Settings) -> str:
    """The script's text, and before it what it reaches of the settings' bounds and of the functions in `lib.lua`,
    `sessions.lua` and `sets.lua`.

    The bounds are constants of the text, so that no call has to bring and unpack them. Redis runs the whole text at
    every call: what a script does not need would cost as much as one of its commands.
    """
    script = alone(name)
    words, needed = _words(script), [script]
    # What is defined reaches only what was defined before.
    for defined, text in reversed(_definitions(_bounds(settings) + alone("lib") + alone("sessions") + alone("sets"))):
        if defined in words:
            words |= _words(text)
            needed.append(text)
    return "".join(reversed(needed))


@cache
def alone(name: str) -> str:
    """The text of a script that needs neither bounds nor shared functions."""
    return (files(__name__) / f"{name}.lua").read_text()


@cache
def _definitions(text: str) -> list[tuple[str, str]]:
    """Name and text of each local at the margin, in order; comments before the first are left out."""
    starts = [*DEFINITION.finditer(text)]
    ends = [*(later.start() for later in starts[1:]), len(text)]
    return [(start[1], text[start.start() : end]) for start, end in zip(starts, ends, strict=True)]


def _words(text: str) -> set[str]:
    return set(WORD.findall(text))


def _bounds(settings: Settings) -> str:
    constants = {
        "KEEP_EVENTS": settings.keep_events,
        "KEEP_REQUEST_BYTES": settings.keep_request_bytes,
        "KEEP_S": int(settings.keep_jobs_s),
        "KEEP_JOBS": settings.keep_jobs,
        "KEEP_DEAD": settings.keep_dead,
        "KEEP_DEAD_S": int(settings.keep_dead_s),
        "MAX_CRASHES": settings.max_crashes,
        "MAX_SEEN": settings.max_excluded_ids,
        "MAX_SESSIONS": settings.tenant_max_sessions,
        "SESSION_S": int(settings.session_ttl_s),
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
