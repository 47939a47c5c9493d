"""Lua scripts, one file each: every change of several keys is one of them, and its comment names the race it closes."""

from functools import cache
from importlib.resources import files

from shared import wire
from shared.errors import Cancelled, Expired, Superseded, WorkerLost
from shared.settings import Settings


@cache
def source(name: str) -> str:
    """The script's text, with the shared functions of `lib.lua` before it."""
    folder = files(__name__)
    return (folder / "lib.lua").read_text() + (folder / f"{name}.lua").read_text()


def policy(settings: Settings) -> bytes:
    """The bounds that most scripts need, packed once: the first argument of those that name it."""
    return wire.encode(
        {
            "keep_events": settings.keep_events,
            "keep_s": int(settings.keep_jobs_s),
            "keep_jobs": settings.keep_jobs,
            "keep_dead": settings.keep_dead,
            "keep_dead_s": int(settings.keep_dead_s),
            "max_crashes": settings.max_crashes,
            "problems": {
                "cancelled": Cancelled().problem(),
                "superseded": Superseded().problem(),
                "expired": Expired().problem(),
                "dead": WorkerLost().problem(),
            },
        }
    )
