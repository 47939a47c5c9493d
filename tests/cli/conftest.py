from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.running import RunningStack, up
from tests.workers.models import save_model


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment in which a stack runs a model that loads in a moment and means nothing."""
    folder: Path = save_model(tmp_path_factory.mktemp("model") / "tiny")
    return {"CLIPLINE_MODEL": f"local-dir:{folder}", "CLIPLINE_PRETRAINED": ""}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, tiny: dict[str, str]) -> Iterator[RunningStack]:
    """One for each file of tests."""
    with up(tmp_path_factory.mktemp("stack") / "data", environ=tiny) as running:
        yield running
