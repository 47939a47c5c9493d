"""Refuses to build a wheel without the pages, which are built from `web/` and not kept in git."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PAGE = "api/static/index.html"


class PagesHook(BuildHookInterface[Any]):
    """Editable installs serve whatever is there, and say so when it is nothing."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version != "editable" and not (Path(self.root) / PAGE).is_file():
            raise RuntimeError(f"{PAGE} is missing: run `make pages` (or `npm ci && npm run build` in web/) first")
