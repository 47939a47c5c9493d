from typing import Any

import httpx
import msgspec
import pytest

from api.spool import Spool
from shared.connection import connect
from shared.keys import queue
from shared.media import SPOOL
from shared.settings import Settings
from tests.api.conftest import Client
from tests.api.serving import serving
from tests.api.stand_in import StandIn
from tests.api.test_search import problem

pytestmark = pytest.mark.anyio

ITEMS = "/v1/collections/things/items"


def files(*named: tuple[str, bytes]) -> list[tuple[str, tuple[str, bytes, str]]]:
    return [("files", (name, content, "image/png")) for name, content in named]


def spooled(settings: Settings) -> list[str]:
    folder = settings.media_path / SPOOL
    return [path.name for path in folder.rglob("*") if path.is_file() or path.name.endswith(".part")]


async def test_an_upload_reaches_the_worker_file_by_file(client: Client, things: str, worker: StandIn) -> None:
    sent = files(("a.png", b"one"), ("Größe/b ü.png", b"two" * 500_000), ("empty.png", b""))

    response = await client.post(f"{ITEMS}?wait=20", files=sent)

    assert response.status_code == 200
    assert response.json()["result"]["added"] == 3
    assert worker.contents == {"a.png": b"one", "Größe/b ü.png": b"two" * 500_000, "empty.png": b""}


async def test_an_upload_is_a_bulk_job(client: Client, things: str, settings: Settings) -> None:
    response = await client.post(ITEMS, files=files(("a.png", b"one")))

    assert (response.status_code, response.json()["kind"], response.json()["lane"]) == (202, "ingest", "bulk")
    assert spooled(settings) == ["0000"]


async def test_one_payload_is_for_all_and_an_array_is_for_each(client: Client, things: str, worker: StandIn) -> None:
    sent = files(("a", b"1"), ("b", b"2"))
    await client.post(f"{ITEMS}?wait=20", files=sent, data={"payload": '{"k": 1}'})
    await client.post(f"{ITEMS}?wait=20", files=sent, data={"payload": '[{"k": 1}, null]'})

    each = [[file.payload for file in job.files] for job in worker.ingested]
    assert each == [[{"k": 1}, {"k": 1}], [{"k": 1}, None]]


@pytest.mark.parametrize("payload", ["[{}]", "[{}, {}, {}]", "7", '{"n": 1e400}', '{"n": ' + "9" * 40 + "}"])
async def test_a_payload_that_does_not_fit_is_422_and_leaves_nothing(
    client: Client, things: str, settings: Settings, payload: str
) -> None:
    response = await client.post(ITEMS, files=files(("a", b"1"), ("b", b"2")), data={"payload": payload})

    assert problem(response)[:2] == (422, "invalid")
    assert spooled(settings) == []


async def test_a_payload_that_is_no_json_is_400(client: Client, things: str) -> None:
    deep = '{"a":' + "[" * 5_000 + "]" * 5_000 + "}"
    for payload in ("{", deep):
        response = await client.post(ITEMS, files=files(("a", b"1")), data={"payload": payload})
        assert problem(response) == (400, "bad-request", None)


async def test_an_upload_without_files_is_422(client: Client, things: str, settings: Settings) -> None:
    form = {"content-type": "multipart/form-data; boundary=b"}
    nothing = await client.post(ITEMS, content=b"--b--\r\n", headers=form)
    other = await client.post(ITEMS, files={"pictures": ("a.png", b"x")})
    nameless = await client.post(ITEMS, files=[("files", (None, b"x"))])

    assert problem(nothing) == (422, "invalid", "files")
    assert problem(other) == (422, "invalid", "pictures")
    assert problem(nameless) == (422, "invalid", "files")
    assert spooled(settings) == []


WHOLE = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\nabc\r\n--b--\r\n'


@pytest.mark.parametrize("length", range(0, len(WHOLE) - 4, 7))
async def test_a_body_that_ends_early_is_400(client: Client, things: str, settings: Settings, length: int) -> None:
    form = {"content-type": "multipart/form-data; boundary=b"}

    assert problem(await client.post(ITEMS, content=WHOLE[:length], headers=form)) == (400, "bad-request", None)
    assert spooled(settings) == []


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary=" + "b" * 300])
async def test_a_bad_boundary_is_400(client: Client, things: str, kind: str) -> None:
    assert problem(await client.post(ITEMS, content=WHOLE, headers={"content-type": kind}))[0] == 400


async def test_another_content_type_is_415(client: Client, things: str) -> None:
    assert problem(await client.post(ITEMS, content=b"x", headers={"content-type": "image/png"}))[0] == 415


async def test_limits_of_an_upload(settings: Settings, things: str, worker: StandIn) -> None:
    small = msgspec.structs.replace(settings, max_file_bytes=1_000, max_upload_bytes=10_000)
    with serving(small) as api:
        async with httpx.AsyncClient(base_url=api.url, timeout=30) as client:
            some = await client.post(f"{ITEMS}?wait=20", files=files(("big", b"x" * 1_001), ("small", b"y")))
            none = await client.post(ITEMS, files=files(("big", b"x" * 1_001)))
            announced = await client.post(ITEMS, files=files(("a", b"x" * 10_000)))
            form = {"content-type": "multipart/form-data; boundary=b"}
            streamed = await client.post(ITEMS, content=_endless(20_000), headers=form)

    result = some.json()["result"]
    assert (result["added"], [one["source"] for one in result["skipped"]]) == (1, ["big"])
    assert result["skipped"][0]["type"] == "picture-too-large"
    assert problem(none) == (422, "picture-too-large", "files")
    assert problem(announced) == problem(streamed) == (413, "too-large", None)
    assert spooled(settings) == []


async def test_a_video_is_bounded_by_the_upload_and_its_own_limit(
    settings: Settings, things: str, worker: StandIn
) -> None:
    small = msgspec.structs.replace(settings, max_file_bytes=1_000, max_video_bytes=5_000)
    with serving(small) as api:
        async with httpx.AsyncClient(base_url=api.url, timeout=30) as client:
            some = await client.post(
                f"{ITEMS}?wait=20&video_step_s=2.5", files=files(("a.MP4", b"x" * 4_000), ("b.mkv", b"x" * 5_001))
            )
            none = await client.post(ITEMS, files=files(("b.mkv", b"x" * 5_001)))
    result = some.json()["result"]
    assert result["added"] == 1
    assert [(one["source"], one["type"]) for one in result["skipped"]] == [("b.mkv", "video-too-large")]
    assert problem(none) == (422, "video-too-large", "files")
    assert [job.video_step_s for job in worker.ingested] == [2.5]


@pytest.mark.parametrize("step", ["-1", "3601", "nan", "inf", "two", ""])
async def test_a_step_that_is_none_is_422(client: Client, things: str, step: str) -> None:
    body = {"files": [{"source": "a", "path": "/a.mp4"}]}
    assert problem(await client.post(f"{ITEMS}?video_step_s={step}", json=body)) == (422, "invalid", "video_step_s")


async def _endless(length: int) -> Any:
    yield b'--b\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
    for _ in range(length // 100):
        yield b"x" * 100


async def test_a_full_lane_refuses_an_upload_before_it_is_read(client: Client, things: str, settings: Settings) -> None:
    async with connect(settings) as redis:
        await redis.zadd(queue("bulk"), {f"job{number}": number for number in range(settings.max_queued_bulk)})

    response = await client.post(ITEMS, files=files(("a", b"1")))

    assert problem(response) == (503, "queue-full", None)
    assert response.headers["retry-after"] == "1"
    assert spooled(settings) == []


async def test_pictures_by_reference_and_by_hash(client: Client, things: str, worker: StandIn) -> None:
    body = {"files": [{"source": "a", "path": "/pictures/a.png"}, {"source": "b", "hash": "0" * 64}]}

    response = await client.post(f"{ITEMS}?wait=20", json=body)

    assert response.json()["result"]["added"] == 2
    assert worker.ingested[0].spool is None


@pytest.mark.parametrize(
    ("file", "field"),
    [
        ({"source": "a"}, "files[0]"),
        ({"source": "a", "path": "a.png"}, "files[0].path"),
        ({"source": "a", "path": "../a.png"}, "files[0].path"),
        ({"source": "a", "path": "/a\0.png"}, "files[0].path"),
        ({"source": "", "path": "/a.png"}, "files[0].source"),
        ({"source": "a", "hash": "abc"}, "files[0].hash"),
    ],
)
async def test_a_bad_reference_is_told_by_field(client: Client, things: str, file: Any, field: str) -> None:
    assert problem(await client.post(ITEMS, json={"files": [file]})) == (422, "invalid", field)


async def test_references_have_bounds(client: Client, things: str) -> None:
    many = {"files": [{"source": str(number), "path": "/a"} for number in range(1_001)]}

    assert problem(await client.post(ITEMS, json=many)) == (422, "invalid", "files")
    assert problem(await client.post(ITEMS, json={"files": []})) == (422, "invalid", "files")


async def test_items_of_an_unknown_collection_are_404(client: Client) -> None:
    for response in (await client.post(ITEMS, files=files(("a", b"1"))), await client.get(f"{ITEMS}/1")):
        assert problem(response) == (404, "collection-not-found", "collection")


async def test_an_item_is_read_by_a_worker(client: Client, things: str, worker: StandIn) -> None:
    assert (await client.get(f"{ITEMS}/7")).json()["payload"] == {"n": 7}
    for unknown in ("100", "-1", "seven", str(2**53), "9" * 30, "%D9%A3"):
        assert problem(await client.get(f"{ITEMS}/{unknown}")) == (404, "item-not-found", None)


async def test_an_item_that_nobody_reads_is_503_and_its_job_is_cancelled(client: Client, things: str) -> None:
    response = await client.get(f"{ITEMS}/7")

    assert problem(response) == (503, "unavailable", None)
    assert [job["state"] for job in (await client.get("/v1/jobs")).json()["jobs"]] == ["cancelled"]


async def test_a_spool_that_cannot_be_written_is_503(client: Client, things: str, settings: Settings) -> None:
    settings.media_path.mkdir(parents=True)
    (settings.media_path / SPOOL).write_text("in the way")

    response = await client.post(ITEMS, files=files(("a", b"1")))

    assert problem(response) == (503, "unavailable", None)
    assert Spool(settings.media_path, "default").name.startswith("default/")
