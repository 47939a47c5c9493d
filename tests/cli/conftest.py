from pathlib import Path

import pytest

from tests.workers.models import save_model


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment in which a stack runs a model that loads in a moment and means nothing."""
    folder: Path = save_model(tmp_path_factory.mktemp("model") / "tiny")
    return {"CLIPLINE_MODEL": f"local-dir:{folder}", "CLIPLINE_PRETRAINED": ""}
