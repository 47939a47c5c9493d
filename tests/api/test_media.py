from pathlib import Path

import pytest

from shared.media import path_of
from shared.settings import Settings
from tests.api.conftest import Client
from tests.api.test_search import problem

pytestmark = pytest.mark.anyio

MEDIA = "/v1/collections/things/items/{}/media"


def put(settings: Settings, item_id: int, content: bytes, *, tenant: str = "default", suffix: str = ".jpg") -> Path:
    path = path_of(settings.media_path, tenant, "things", item_id, "thumb", suffix=suffix)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


async def test_a_picture_is_served_and_then_remembered(client: Client, settings: Settings) -> None:
    put(settings, 300, b"jpeg")

    first = await client.get(MEDIA.format(300))
    again = await client.get(MEDIA.format(300), headers={"if-none-match": first.headers["etag"]})

    assert (first.status_code, first.content, first.headers["content-type"]) == (200, b"jpeg", "image/jpeg")
    assert first.headers["cache-control"].startswith("private")
    assert (again.status_code, again.content) == (304, b"")


async def test_its_headers_alone_can_be_asked_for(client: Client, settings: Settings) -> None:
    put(settings, 300, b"jpeg")

    whole, head = [await client.request(method, MEDIA.format(300)) for method in ("GET", "HEAD")]

    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-type", "content-length", "etag", "cache-control"):
        assert head.headers[name] == whole.headers[name]


async def test_a_picture_of_an_earlier_version_is_served_until_there_is_a_new_one(
    client: Client, settings: Settings
) -> None:
    put(settings, 5, b"webp", suffix=".webp")
    old = await client.get(MEDIA.format(5))
    assert (old.status_code, old.content, old.headers["content-type"]) == (200, b"webp", "image/webp")
    remembered = {"if-none-match": old.headers["etag"]}
    assert (await client.get(MEDIA.format(5), headers=remembered)).status_code == 304

    put(settings, 5, b"a jpeg")

    new = await client.get(MEDIA.format(5), headers=remembered)
    assert (new.status_code, new.content, new.headers["content-type"]) == (200, b"a jpeg", "image/jpeg")


async def test_what_is_not_there_is_404(client: Client, settings: Settings) -> None:
    put(settings, 1, b"jpeg", tenant="other")
    for address in (MEDIA.format(1), MEDIA.format("x"), MEDIA.format(1) + "?size=full"):
        assert problem(await client.get(address)) == (404, "item-not-found", None)
    for name in ("..", "%2e%2e", "%2Fetc", "a%00b", "x" * 5_000):
        assert (await client.get(f"/v1/collections/{name}/items/1/media")).status_code == 404


async def test_a_link_out_of_the_folder_is_not_followed(client: Client, settings: Settings, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    put(settings, 2, b"").unlink()
    path_of(settings.media_path, "default", "things", 2, "thumb").symlink_to(secret)

    assert (await client.get(MEDIA.format(2))).status_code == 404


async def test_a_size_that_is_none_is_422(client: Client) -> None:
    assert problem(await client.get(MEDIA.format(1) + "?size=huge")) == (422, "invalid", "size")
