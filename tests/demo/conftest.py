"""The sample collection, built once for all tests of the demo."""

from pathlib import Path

import pytest

from demo.collection import build


@pytest.fixture(scope="session")
def pictograms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("pictograms"))
