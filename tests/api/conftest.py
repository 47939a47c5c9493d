from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import msgspec
import pytest

from shared import tenants
from shared.collections import Collections, from_spec
from shared.connection import connect
from shared.jobs import CollectionSpec
from shared.settings import Settings
from shared.tenants import DEFAULT_TENANT, Role
from tests.api.serving import Api, serving
from tests.api.stand_in import StandIn, working

Client = httpx.AsyncClient
MakeKey = Callable[[str, Role], str]


@pytest.fixture
def api(settings: Settings) -> Iterator[Api]:
    with serving(settings) as running:
        yield running


@pytest.fixture
async def client(api: Api) -> AsyncIterator[Client]:
    async with httpx.AsyncClient(base_url=api.url, timeout=30) as client:
        yield client


@pytest.fixture
async def worker(settings: Settings) -> AsyncIterator[StandIn]:
    async with working(settings) as stand_in:
        yield stand_in


@pytest.fixture
async def things(settings: Settings) -> str:
    """A collection of the default tenant."""
    return await make_collection(settings, DEFAULT_TENANT, "things")


async def make_collection(settings: Settings, tenant: str, name: str) -> str:
    async with connect(settings) as redis:
        await Collections(redis).put(tenant, from_spec(name, CollectionSpec()))
    return name


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    path = tmp_path / "keys.toml"
    path.touch()
    return path


@pytest.fixture
def make_key(keys_file: Path) -> MakeKey:
    return lambda tenant, role: tenants.add(keys_file, tenant=tenant, role=role)


@pytest.fixture
def keyed(settings: Settings, keys_file: Path) -> Iterator[Api]:
    """An API that wants keys."""
    with serving(msgspec.structs.replace(settings, keys_file=str(keys_file))) as running:
        yield running
