"""Reads iconify icon sets and rasterises their pictures."""

import json
from pathlib import Path
from typing import Any

import resvg_py

from demo.concepts import code_of

DEFAULT_SIDE = 16  # what iconify's format says an icon measures when it does not state it


class IconSet:
    """One `@iconify-json` package: SVG bodies by name, and names by code points where it knows them."""

    def __init__(self, node_modules: Path, name: str) -> None:
        package = node_modules / "@iconify-json" / name
        self._set: dict[str, Any] = json.loads((package / "icons.json").read_text(encoding="utf-8"))
        chars = package / "chars.json"
        listed: dict[str, str] = json.loads(chars.read_text(encoding="utf-8")) if chars.exists() else {}
        self.name_of_code = {code_of(code): name for code, name in listed.items()}
        self.version: str = json.loads((package / "package.json").read_text(encoding="utf-8"))["version"]

    @property
    def names(self) -> list[str]:
        """Every icon and alias."""
        return [*self._set["icons"], *self._set.get("aliases", {})]

    def svg(self, name: str) -> str:
        """A whole SVG document; raises KeyError for a name that the set does not have."""
        icon = self._icon(name)
        width = icon.get("width", self._set.get("width", DEFAULT_SIDE))
        height = icon.get("height", self._set.get("height", DEFAULT_SIDE))
        return (
            '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
            f'viewBox="0 0 {width} {height}">{icon["body"]}</svg>'
        )

    def _icon(self, name: str) -> dict[str, Any]:
        while name not in self._set["icons"]:
            name = self._set["aliases"][name]["parent"]
        icon: dict[str, Any] = self._set["icons"][name]
        return icon


def rasterise(svg: str, side: int) -> bytes:
    """A PNG of `side` × `side` pixels with transparency; raises ValueError when the SVG cannot be drawn."""
    return bytes(resvg_py.svg_to_bytes(svg_string=svg, width=side, height=side, skip_system_fonts=True))
