"""docs/http.md names exactly the problems and routes that exist."""

import re
from pathlib import Path

from api import openapi
from shared.errors import CliplineError

DOCS = (Path(__file__).parents[2] / "docs" / "http.md").read_text()


def below(kind: type[CliplineError]) -> set[str]:
    """The API's own problems; a client has some beside them."""
    subclasses = [sub for sub in kind.__subclasses__() if sub.__module__ == kind.__module__]
    return {kind.slug}.union(*(below(sub) for sub in subclasses))


def test_every_problem_is_documented() -> None:
    section = DOCS.partition("## Problems")[2].partition("## Websocket")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    documented = {slug for row in rows for slug in re.findall(r"`([a-z-]+)`", row)} - {"type"}
    assert documented == below(CliplineError)


def test_every_route_has_an_example() -> None:
    shown = re.findall(r"http://127\.0\.0\.1:8000(/[^\s'?]*)", DOCS)
    for path in openapi.build()["paths"]:
        pattern = re.sub(r"{\w+}", r"[^/]+", path)
        assert any(re.fullmatch(pattern, one) for one in shown), path
