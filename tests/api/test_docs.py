"""docs/http.md and docs/live.md name exactly the problems, routes and close codes that exist."""

import re
from pathlib import Path

from api import asyncapi, openapi
from shared.errors import CliplineError

FOLDER = Path(__file__).parents[2] / "docs"
DOCS = (FOLDER / "http.md").read_text()
LIVE = (FOLDER / "live.md").read_text()


def below(kind: type[CliplineError]) -> dict[str, int]:
    """The API's own problems with their statuses; a client has some beside them."""
    found = {kind.slug: kind.status}
    for sub in kind.__subclasses__():
        if sub.__module__ == kind.__module__:
            found |= below(sub)
    return found


def test_every_problem_is_documented() -> None:
    section = DOCS.partition("## Problems")[2].partition("## Websocket")[0]
    rows = [line.split("|")[1:3] for line in section.splitlines() if line.startswith("| `")]
    documented = {slug: status.strip() for row, status in rows for slug in re.findall(r"`([a-z-]+)`", row)}
    del documented["type"]
    assert documented == {slug: str(status) for slug, status in below(CliplineError).items()}


def test_every_close_code_is_documented() -> None:
    section = LIVE.partition("| close code |")[2].partition("\n\n")[0]
    assert {int(code) for code in re.findall(r"^\| (\d{4}) \|", section, re.MULTILINE)} == set(asyncapi.CLOSES)


def test_every_route_has_an_example() -> None:
    shown = re.findall(r"http://127\.0\.0\.1:8000(/[^\s'?]*)", DOCS)
    for path in openapi.build()["paths"]:
        pattern = re.sub(r"{\w+}", r"[^/]+", path)
        assert any(re.fullmatch(pattern, one) for one in shown), path
