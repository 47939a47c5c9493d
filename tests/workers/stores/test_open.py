"""Opening the store that the settings name."""

import subprocess
import sys
from pathlib import Path

import pytest

from shared.errors import StoreAway
from shared.settings import Settings, SettingsError
from workers.stores.open import open_store

pytestmark = pytest.mark.anyio


async def test_edge_keeps_its_collections_below_the_data_folder(tmp_path: Path) -> None:
    store = await open_store(Settings(store="edge", data_dir=str(tmp_path)))
    try:
        await store.create("a.b", dim=4, indexes={}, meta={})
    finally:
        await store.close()
    assert (tmp_path / "vectors" / "a.b" / "collection.json").is_file()


async def test_a_url_that_nobody_listens_to_opens_and_then_is_away(unused_port: int) -> None:
    store = await open_store(Settings(store=f"http://127.0.0.1:{unused_port}", store_api_key="secret"))
    try:
        with pytest.raises(StoreAway):
            await store.ping()
    finally:
        await store.close()


@pytest.mark.parametrize("value", ["", "Edge", "qdrant", "redis://localhost", "http://", "/a/path"])
async def test_anything_else_is_a_settings_error_that_names_the_variable(value: str) -> None:
    with pytest.raises(SettingsError, match="CLIPLINE_STORE"):
        await open_store(Settings(store=value))


@pytest.mark.parametrize(
    ("module", "foreign"),
    [
        ("workers.stores.qdrant_edge", "{'qdrant_client', 'qdrant_edge'}"),
        ("workers.stores.edge_process", "{'qdrant_client'}"),
        ("workers.stores.qdrant_server", "{'qdrant_edge'}"),
    ],
)
def test_no_store_loads_the_library_of_another(module: str, foreign: str) -> None:
    program = f"import sys, {module}; print(sorted({foreign} & sys.modules.keys()))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"
