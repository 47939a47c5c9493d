"""Lua scripts, one file each: every change of several keys is one of them, and its comment names the race it closes."""

from functools import cache
from importlib.resources import files


@cache
def source(name: str) -> str:
    """The script's text, with the shared functions of `lib.lua` before it."""
    folder = files(__name__)
    return (folder / "lib.lua").read_text() + (folder / f"{name}.lua").read_text()
