"""What ingest may read: files below the allowed roots, and uploads."""

import os
from pathlib import Path
from typing import Any

import pytest

from shared import media
from shared.jobs import File, Ingest, Skipped
from tests.workers.tasks.stack import Stack, fresh_name

pytestmark = pytest.mark.anyio


@pytest.fixture
def outside(tmp_path: Path, stack: Stack) -> Path:
    path = tmp_path / "secret.png"
    path.write_bytes(stack.picture("any.png").read_bytes())
    return path


async def refused(stack: Stack, path: str, **more: Any) -> Skipped:
    collection = await stack.create()
    result = await stack.ingest(collection, [File(source="x", path=path), stack.file("fine.png")], **more)
    assert (result.added, result.count) == (1, 1)
    [row] = result.failed
    assert (row.source, row.type) == ("x", "not-visible")
    return row


async def test_what_lies_outside_of_the_roots_is_not_visible(stack: Stack, outside: Path) -> None:
    root = stack.folder
    link, folder = root / "link.png", root / "linked"
    for one, target in [(link, outside), (folder, outside.parent)]:
        one.unlink(missing_ok=True)
        one.symlink_to(target)
    up = Path(*[".."] * (len(root.parts) - 1), *outside.parts[1:])
    for path in (outside, link, folder / outside.name, root / up, root.parent, Path("/etc/passwd")):
        assert "CLIPLINE_INGEST_ROOTS" in (await refused(stack, str(path))).reason
    await refused(stack, "relative.png")


async def test_a_link_within_the_roots_is_followed(stack: Stack) -> None:
    link = stack.folder / "inner.png"
    link.unlink(missing_ok=True)
    link.symlink_to(stack.picture("target.png"))
    result = await stack.ingest(await stack.create(), [File(source="x", path=str(link))])
    assert (result.added, result.failed) == (1, [])


async def test_what_cannot_be_read_is_not_visible(stack: Stack) -> None:
    root = stack.folder
    circle, pipe = root / "circle.png", root / "pipe.png"
    for one in (circle, pipe):
        one.unlink(missing_ok=True)
    circle.symlink_to(circle)
    os.mkfifo(pipe)
    below_a_file = stack.picture("file.png") / "x.png"
    for path in (root, circle, pipe, below_a_file, root / ("x" * 300), root / "nul\0.png", root / "gone.png"):
        await refused(stack, str(path))


async def test_a_file_that_is_too_large_is_skipped(stack: Stack) -> None:
    large = stack.folder / "large.png"
    with large.open("wb") as file:
        file.truncate(stack.parts.settings.max_file_bytes + 1)
    collection = await stack.create()
    result = await stack.ingest(collection, [File(source="x", path=str(large)), File(source="y", path=os.devnull)])
    assert [(row.source, row.type) for row in result.skipped] == [("x", "picture-too-large")]
    assert [row.source for row in result.failed] == ["y"]


# -- uploads


def spooled(stack: Stack, spool: str, *names: str) -> Path:
    folder = stack.parts.settings.media_path / media.SPOOL / spool
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_bytes(stack.picture(name).read_bytes())
    return folder


async def test_an_upload_is_removed_when_it_is_indexed(stack: Stack) -> None:
    collection = await stack.create()
    folder = spooled(stack, f"t/{fresh_name()}", "u1.png", "u2.png")
    (folder / "bad.png").write_text("no picture")
    files = [File(source=f"my {name}", path=name) for name in ("u1.png", "u2.png", "bad.png")]
    rejected = [Skipped(source="huge.png", reason="too large", type="picture-too-large")]
    result = await stack.ingest(collection, files, spool=f"t/{folder.name}", rejected=rejected)
    assert (result.added, result.failed, result.count) == (2, [], 2)
    assert [row.source for row in result.skipped] == ["huge.png", "my bad.png"]
    assert set(await stack.all_items(collection)) == {"my u1.png", "my u2.png"}
    assert not folder.exists()


@pytest.mark.parametrize("path", ["../../../../etc/passwd", "/etc/passwd", "..", ".", "nul\0", "gone.png"])
async def test_a_path_that_leads_out_of_its_upload_is_not_visible(stack: Stack, path: str) -> None:
    collection = await stack.create()
    folder = spooled(stack, f"t/{fresh_name()}", "fine.png")
    files = [File(source="x", path=path), File(source="fine.png", path="fine.png")]
    result = await stack.ingest(collection, files, spool=f"t/{folder.name}")
    assert (result.added, [(row.source, row.type) for row in result.failed]) == (1, [("x", "not-visible")])


@pytest.mark.parametrize("spool", ["..", "../..", ".", "", "t/../..", "/etc", "nul\0"])
async def test_a_name_that_leads_out_of_the_spool_is_not_visible(stack: Stack, spool: str) -> None:
    kept = spooled(stack, f"t/{fresh_name()}", "kept.png")
    problem = await stack.problem(
        Ingest(collection=await stack.create(), files=[File(source="x", path="kept.png")], spool=spool)
    )
    assert (problem.type, problem.status) == ("not-visible", 422)
    assert (kept / "kept.png").exists()
