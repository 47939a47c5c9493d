import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, JpegImagePlugin

from shared.media import SIZES, blob_path_of, path_of, paths_of
from workers.encoders.protocol import Pixels
from workers.ingest.thumbnails import LONGEST_PX, Media, jpeg_copies

PLACE = ("public", "pets")
RED = "a" * 64
BLUE = "b" * 64


def picture(colour: tuple[int, int, int], height: int = 30, width: int = 40) -> Pixels:
    return np.full((height, width, 3), colour, np.uint8)


def colour_of(path: Path) -> str:
    red, _, blue = np.asarray(Image.open(path).convert("RGB")).mean(axis=(0, 1))
    return "red" if red > blue else "blue"


def put(media: Media, item_id: int, content_hash: str) -> None:
    media.store(*PLACE, item_id, content_hash, picture((200, 0, 0) if content_hash == RED else (0, 0, 200)))


def files(root: Path) -> set[str]:
    return {path.name for path in root.rglob("*.*") if path.is_file()}


def put_as_before(media: Media, root: Path, item_id: int, content_hash: str) -> None:
    """As an earlier version did: WebP, under the same names but for the suffix."""
    put(media, item_id, content_hash)
    for path in [*root.rglob(f"{item_id}.*.jpg"), *root.rglob(f"{content_hash}.*.jpg")]:
        path.rename(path.with_suffix(".webp"))


@pytest.fixture
def media(tmp_path: Path) -> Media:
    return Media(tmp_path)


def test_an_items_pictures_lie_where_its_id_says(media: Media, tmp_path: Path) -> None:
    put(media, 258, RED)
    assert path_of(tmp_path, *PLACE, 258, "thumb") == tmp_path / "public/pets/items/02/258.thumb.jpg"
    assert all(colour_of(path_of(tmp_path, *PLACE, 258, size)) == "red" for size in SIZES)


@pytest.mark.parametrize(("height", "width"), [(3_000, 4_000), (100, 90), (1, 5_000), (5_000, 1), (1, 1)])
def test_copies_fit_their_size_keep_their_shape_and_are_never_enlarged(height: int, width: int) -> None:
    for size, data in jpeg_copies(picture((9, 9, 9), height, width)).items():
        copy = Image.open(io.BytesIO(data))
        assert copy.format == "JPEG"
        shrink = max(1.0, max(height, width) / LONGEST_PX[size])
        assert copy.size == (max(1, round(width / shrink)), max(1, round(height / shrink)))


def test_storing_again_changes_nothing(media: Media, tmp_path: Path) -> None:
    put(media, 1, RED)
    before = {path: path.stat().st_ino for path in tmp_path.rglob("*.jpg")}
    put(media, 1, RED)
    assert {path: path.stat().st_ino for path in tmp_path.rglob("*.jpg")} == before
    assert not [path for path in tmp_path.rglob(".*") if path.is_file()]


def test_equal_content_is_stored_once(media: Media, tmp_path: Path) -> None:
    put(media, 1, RED)
    put(media, 2, RED)
    first, second = (path_of(tmp_path, *PLACE, item, "full") for item in (1, 2))
    assert first.samefile(second)


def test_new_content_replaces_the_old_and_removes_what_nothing_uses(media: Media, tmp_path: Path) -> None:
    put(media, 1, RED)
    put(media, 2, RED)
    put(media, 1, BLUE)
    assert colour_of(path_of(tmp_path, *PLACE, 1, "thumb")) == "blue"
    assert colour_of(path_of(tmp_path, *PLACE, 2, "thumb")) == "red"
    assert blob_path_of(tmp_path, *PLACE, RED, "thumb").exists()
    put(media, 2, BLUE)
    assert not blob_path_of(tmp_path, *PLACE, RED, "thumb").exists()
    assert files(tmp_path / "public/pets/blobs") == {f"{BLUE}.{size}.jpg" for size in SIZES}


def test_a_blob_that_a_power_cut_emptied_is_written_again(media: Media, tmp_path: Path) -> None:
    blob = blob_path_of(tmp_path, *PLACE, RED, "thumb")
    blob.parent.mkdir(parents=True)
    blob.touch()
    put(media, 1, RED)
    assert colour_of(path_of(tmp_path, *PLACE, 1, "thumb")) == "red"


@pytest.mark.parametrize("content_hash", [RED, BLUE])
def test_an_item_stored_again_leaves_nothing_of_an_earlier_versions_copies(
    media: Media, tmp_path: Path, content_hash: str
) -> None:
    put_as_before(media, tmp_path, 1, RED)
    put(media, 1, content_hash)
    assert not list(tmp_path.rglob("*.webp"))
    assert files(tmp_path / "public/pets/blobs") == {f"{content_hash}.{size}.jpg" for size in SIZES}
    assert colour_of(path_of(tmp_path, *PLACE, 1, "full")) == ("red" if content_hash == RED else "blue")


def test_an_earlier_versions_copy_stays_as_long_as_another_item_shows_it(media: Media, tmp_path: Path) -> None:
    put_as_before(media, tmp_path, 1, RED)
    put(media, 2, RED)
    assert [path.suffix for path in paths_of(tmp_path, *PLACE, 1, "full") if path.exists()] == [".webp"]
    assert colour_of(path_of(tmp_path, *PLACE, 2, "full")) == "red"
    media.remove(*PLACE, 1)
    assert not list(tmp_path.rglob("*.webp"))
    assert colour_of(path_of(tmp_path, *PLACE, 2, "full")) == "red"
    media.remove(*PLACE, 2)
    assert not [path for path in tmp_path.rglob("*") if not path.is_dir()]


def test_only_a_drawing_keeps_its_colours_in_full() -> None:
    """Half of them is what cameras keep, and what eyes miss nowhere but at hard edges."""
    edges = np.zeros((300, 300, 3), np.uint8)
    edges[:, ::7] = (255, 0, 0)
    grain = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    for pixels, sampling in [(edges, 0), (grain, 2), (edges[:, :1], 2)]:
        for data in jpeg_copies(pixels).values():
            assert JpegImagePlugin.get_sampling(Image.open(io.BytesIO(data))) == sampling


def test_dropping_a_collection_removes_it_alone(media: Media, tmp_path: Path) -> None:
    put(media, 1, RED)
    media.store("public", "cars", 1, RED, picture((200, 0, 0)))
    media.drop(*PLACE)
    media.drop(*PLACE)
    assert not path_of(tmp_path, *PLACE, 1, "thumb").exists()
    assert path_of(tmp_path, "public", "cars", 1, "thumb").exists()
    assert [path.name for path in (tmp_path / "public").iterdir()] == ["cars"]


@pytest.mark.parametrize("name", ["", "..", ".hidden", "a/b", "a\0b"])
def test_names_that_lead_out_of_the_folder_are_refused(name: str, tmp_path: Path) -> None:
    for tenant, collection in ((name, "pets"), ("public", name)):
        with pytest.raises(ValueError, match="not the name of a folder"):
            path_of(tmp_path, tenant, collection, 1, "thumb")


@settings(max_examples=25, deadline=None)
@given(steps=st.lists(st.tuples(st.integers(0, 3), st.sampled_from([RED, BLUE])), min_size=1, max_size=12))
def test_items_show_their_last_content_and_no_blob_is_left_over(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, str]]
) -> None:
    root = tmp_path_factory.mktemp("media")
    for item_id, content_hash in steps:
        put(Media(root), item_id, content_hash)
    shown = dict(steps)
    for item_id, content_hash in shown.items():
        assert colour_of(path_of(root, *PLACE, item_id, "full")) == ("red" if content_hash == RED else "blue")
    used = {f"{content_hash}.{size}.jpg" for content_hash in shown.values() for size in SIZES}
    assert files(root / "public/pets/blobs") == used


def test_workers_beside_one_another_never_leave_an_item_without_a_picture(tmp_path: Path) -> None:
    media = Media(tmp_path)
    work = [(item_id, content_hash) for _ in range(10) for item_id in range(4) for content_hash in (RED, BLUE)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda step: put(media, *step), work))
    assert all(colour_of(path_of(tmp_path, *PLACE, item, size)) for item in range(4) for size in SIZES)
