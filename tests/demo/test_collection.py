import json
from pathlib import Path

import pytest
from PIL import Image

from demo import collection

pytestmark = pytest.mark.timeout(480)  # all pictures are drawn, and once more after one is lost


def _written(folder: Path) -> dict[str, int]:
    return {file.name: file.stat().st_mtime_ns for file in folder.iterdir()}


def test_every_picture_has_a_payload_and_every_payload_a_picture(pictograms: Path) -> None:
    payloads = json.loads((pictograms / "payloads.json").read_text(encoding="utf-8"))

    assert payloads.keys() == {file.name for file in pictograms.glob("*.png")}
    assert len(payloads) > 1_650
    assert payloads["cat.png"]["label"] == "cat"
    assert payloads["cat.png"]["group"] == "animals-nature"
    assert payloads["cat.png"]["subgroup"] == "animal-mammal"
    assert "pet" in payloads["cat.png"]["tags"]


def test_pictures_are_square_and_keep_their_transparency(pictograms: Path) -> None:
    with Image.open(pictograms / "red-apple.png") as picture:
        assert picture.size == (collection.SIDE, collection.SIDE)
        assert picture.mode == "RGBA"
        assert picture.getpixel((0, 0)) == (0, 0, 0, 0)


def test_a_second_build_writes_nothing(pictograms: Path) -> None:
    before = _written(pictograms)

    assert collection.build(pictograms) == pictograms
    assert _written(pictograms) == before


def test_a_build_that_lost_a_picture_is_made_again(pictograms: Path) -> None:
    (pictograms / "cat.png").unlink()
    (pictograms / "stranger.png").write_bytes(b"left by an older build")

    collection.build(pictograms)

    assert (pictograms / "cat.png").exists()
    assert not (pictograms / "stranger.png").exists()


def test_missing_packages_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collection, "NODE_MODULES", tmp_path / "node_modules")

    with pytest.raises(collection.PackagesMissing, match=r"@iconify-json/noto.*npm ci"):
        collection.build(tmp_path / "out")

    assert not (tmp_path / "out").exists()
