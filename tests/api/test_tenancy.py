"""A tenant's things do not exist for anybody else."""

from pathlib import Path

import httpx
import pytest
from starlette.routing import Route

from api.app import routes
from api.metrics import Metrics
from shared.settings import Settings
from tests.api.conftest import Client, MakeKey, make_collection
from tests.api.serving import Api
from tests.api.test_search import cat, problem

pytestmark = pytest.mark.anyio

OPEN = ("/healthz", "/readyz", "/metrics", "/openapi.json", "/", "/dashboard", "/docs", "/favicon.svg", "/assets/x.js")


def client_of(api: Api, key: str | None) -> Client:
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    return httpx.AsyncClient(base_url=api.url, headers=headers, timeout=30)


async def test_every_route_but_the_open_ones_wants_a_key(keyed: Api) -> None:
    async with client_of(keyed, None) as nobody, client_of(keyed, "clk_wrong") as wrong:
        for route in routes(Metrics()):
            if not isinstance(route, Route) or not route.path.startswith("/v1/"):
                continue
            path = route.path.format(job_id="j", name="things", item_id="1", worker_id="w", session="s")
            for method in route.methods or ():
                for client in (nobody, wrong):
                    response = await client.request(method, path)
                    assert response.status_code == 401, (method, path)
                    assert response.headers["www-authenticate"].startswith("Bearer")
        for path in OPEN:
            assert (await nobody.get(path)).status_code in {200, 404, 503}


async def test_a_foreign_job_session_or_collection_is_404(keyed: Api, settings: Settings, make_key: MakeKey) -> None:
    await make_collection(settings, "ours", "things")
    async with (
        client_of(keyed, make_key("ours", "user")) as ours,
        client_of(keyed, make_key("others", "operator")) as others,
    ):
        job = (await ours.post("/v1/search", json=cat())).json()["id"]
        session = (await ours.post("/v1/sessions")).json()["session"]
        await make_collection(settings, "others", "mine")

        for response in (
            await others.get(f"/v1/jobs/{job}"),
            await others.get(f"/v1/jobs/{job}?wait=1"),
            await others.delete(f"/v1/jobs/{job}"),
            await others.post(f"/v1/jobs/{job}/retry"),
        ):
            assert problem(response) == (404, "job-not-found", None)
        assert (await others.get("/v1/jobs")).json()["jobs"] == []
        assert problem(await others.get("/v1/collections/things"))[:2] == (404, "collection-not-found")
        assert problem(await others.post("/v1/search", json=cat()))[:2] == (404, "collection-not-found")
        foreign = await others.post("/v1/search", json=cat(collection="mine", session=session))
        assert problem(foreign)[:2] == (404, "session-not-found")
        assert (await ours.get(f"/v1/jobs/{job}")).json()["state"] == "queued"


async def test_roles_allow_what_they_should(keyed: Api, settings: Settings, make_key: MakeKey) -> None:
    await make_collection(settings, "ours", "things")
    expected = {
        "viewer": {"search": 202, "put": 403, "delete": 403, "ingest": 403, "cancel": 403, "workers": 200},
        "user": {"search": 202, "put": 202, "delete": 202, "ingest": 202, "cancel": 404, "workers": 403},
        "operator": {"search": 202, "put": 202, "delete": 202, "ingest": 202, "cancel": 404, "workers": 200},
    }
    reference = {"files": [{"source": "a", "path": "/a"}]}
    for role in ("viewer", "user", "operator"):
        async with client_of(keyed, make_key("ours", role)) as client:
            found = {
                "search": (await client.post("/v1/search", json=cat())).status_code,
                "put": (await client.put(f"/v1/collections/new-{role}")).status_code,
                "delete": (await client.delete("/v1/collections/things")).status_code,
                "ingest": (await client.post("/v1/collections/things/items", json=reference)).status_code,
                "cancel": (await client.delete("/v1/jobs/x")).status_code,
                "workers": (await client.get("/v1/workers")).status_code,
            }
            assert found == expected[role]
            assert (await client.get("/v1/queues")).status_code == found["workers"]


async def test_a_key_works_in_either_header_and_as_soon_as_it_is_made(keyed: Api, make_key: MakeKey) -> None:
    key = make_key("ours", "user")
    async with client_of(keyed, None) as client:
        assert (await client.get("/v1/jobs", headers={"x-api-key": key})).status_code == 200
        assert (await client.get("/v1/jobs", headers={"authorization": f"bearer {key}"})).status_code == 200
        assert (await client.get("/v1/jobs", headers={"authorization": f"Basic {key}"})).status_code == 401


@pytest.fixture
def broken_key(make_key: MakeKey, keys_file: Path) -> str:
    key = make_key("ours", "user")
    keys_file.write_text("not toml [")
    return key


async def test_keys_that_cannot_be_read_are_503(keyed: Api, broken_key: str) -> None:
    async with client_of(keyed, broken_key) as client:
        assert problem(await client.get("/v1/jobs"))[:2] == (503, "unavailable")
