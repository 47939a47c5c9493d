from pathlib import Path

import pytest

from api import pages
from tests.api.conftest import Client

pytestmark = pytest.mark.anyio

PAGES = {"/": "index.html", "/dashboard": "dashboard.html", "/docs": "docs.html"}


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as the build leaves it."""
    folder = tmp_path / "static"
    (folder / "assets").mkdir(parents=True)
    for name in PAGES.values():
        (folder / name).write_text(f"<!doctype html><title>{name}</title>")
    (folder / "assets" / "app-abc.js").write_text("export {}")
    (folder / "favicon.svg").write_text("<svg/>")
    (tmp_path / "secret.txt").write_text("hidden words")
    monkeypatch.setattr(pages, "STATIC", folder)
    return folder


async def test_pages_come_with_a_strict_policy(client: Client, built: Path) -> None:
    for path, name in PAGES.items():
        response = await client.get(path)
        assert response.status_code == 200
        assert name in response.text
        policy = response.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["cache-control"] == "no-cache"


async def test_assets_are_kept_for_ever(client: Client, built: Path) -> None:
    script = await client.get("/assets/app-abc.js")

    assert script.headers["content-type"].startswith("text/javascript")
    assert "immutable" in script.headers["cache-control"]
    assert (await client.get("/favicon.svg")).headers["content-type"].startswith("image/svg+xml")
    known = {"if-none-match": script.headers["etag"]}
    assert (await client.get("/assets/app-abc.js", headers=known)).status_code == 304


@pytest.mark.parametrize(
    "path", ["nothing.js", "../index.html", "%2e%2e/%2e%2e/secret.txt", "%2Fetc%2Fpasswd", "%00", "."]
)
async def test_nothing_outside_the_assets_is_served(client: Client, built: Path, path: str) -> None:
    response = await client.get(f"/assets/{path}")

    assert response.status_code == 404 or "index.html" in response.text
    assert "hidden words" not in response.text


async def test_pages_that_are_not_built_say_how(client: Client, built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "STATIC", built / "none")

    response = await client.get("/")

    assert response.status_code == 200
    assert "npm run build" in response.text
