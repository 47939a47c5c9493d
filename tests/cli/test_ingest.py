import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.pictures import draw, mixed
from tests.e2e.running import RunningStack, clipline, until, up
from tests.workers.ingest.clips import scenes, write_clip

pytestmark = pytest.mark.slow


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A collection of this test's own."""
    return f"c{abs(hash(request.node.nodeid)):x}"[:20]


def ingest(stack: RunningStack, *arguments: str, code: int = 0) -> dict[str, Any]:
    done = clipline("ingest", *arguments, "--json", url=stack.url)
    assert done.returncode == code, done.stdout + done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def counts(report: dict[str, Any]) -> tuple[int, int, int, int, int]:
    """added, updated, unchanged, skipped, failed"""
    return report["added"], report["updated"], report["unchanged"], len(report["skipped"]), len(report["failed"])


@pytest.mark.parametrize("way", ["--reference", "--upload"])
def test_every_file_is_counted_once_and_a_second_run_adds_nothing(
    stack: RunningStack, tmp_path: Path, name: str, way: str
) -> None:
    folder = mixed(tmp_path / "pictures", good=140, broken=6, other=4)
    assert counts(ingest(stack, str(folder), "-c", name, way)) == (140, 0, 0, 10, 0)
    again = ingest(stack, str(folder), "-c", name, way)
    assert counts(again) == (0, 0, 140, 10, 0)
    assert {row["path"] for row in again["skipped"]} == {
        str(path) for pattern in ("broken/*", "note-*") for path in folder.glob(pattern)
    }
    assert all(row["reason"] for row in again["skipped"])


def test_both_ways_give_the_same_items(stack: RunningStack, tmp_path: Path, name: str) -> None:
    folder = mixed(tmp_path / "pictures", good=20, broken=0, other=0)
    assert counts(ingest(stack, str(folder), "-c", name, "--upload")) == (20, 0, 0, 0, 0)
    assert counts(ingest(stack, str(folder), "-c", name)) == (0, 0, 20, 0, 0)


def test_only_what_changed_is_encoded_and_a_new_payload_alone_is_no_reason(
    stack: RunningStack, tmp_path: Path, name: str
) -> None:
    folder = mixed(tmp_path / "pictures", good=10, broken=0, other=0)
    assert ingest(stack, str(folder), "-c", name)["added"] == 10
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    draw(files[0], 1_000)
    draw(folder / "new.png", 1_001)
    (folder / "payloads.json").write_text(json.dumps({files[1].relative_to(folder).as_posix(): {"label": "told"}}))
    assert counts(ingest(stack, str(folder), "-c", name)) == (2, 1, 8, 0, 0)
    assert "told" in clipline("search", "anything", "-c", name, url=stack.url).stdout


def test_a_search_draws_a_line_where_hits_become_less_likely(stack: RunningStack, tmp_path: Path, name: str) -> None:
    folder = mixed(tmp_path / "pictures", good=10, broken=0, other=0)
    assert ingest(stack, str(folder), "-c", name)["added"] == 10
    found = json.loads(clipline("search", "anything", "-c", name, "--json", url=stack.url).stdout)
    _, *rows, told = clipline("search", "anything", "-c", name, url=stack.url).stdout.splitlines()
    assert found["relevant"] == sum(hit["score"] >= found["line"] for hit in found["hits"])
    assert [place for place, row in enumerate(rows) if "less likely from here" in row] == [found["relevant"]]
    assert told.startswith(f"10 hits, {found['relevant']} of them likely, in ")


@pytest.mark.parametrize(
    "file", ['quo"te.png', "back\\slash.png", "ünï–çode 日本.png", "per%22cent.png", "semi;colon.png"]
)
@pytest.mark.parametrize("way", ["--reference", "--upload"])
def test_a_strange_file_name_arrives_as_it_is(
    stack: RunningStack, tmp_path: Path, name: str, file: str, way: str
) -> None:
    draw(tmp_path / "pictures" / file, len(file))
    assert counts(ingest(stack, str(tmp_path / "pictures"), "-c", name, way, "--source-root", "s"))[0] == 1
    found = json.loads(clipline("search", "anything", "-c", name, "--json", url=stack.url).stdout)
    assert [hit["source"] for hit in found["hits"]] == [f"s/{file}"]


def test_files_that_only_we_can_read_are_uploaded(tmp_path: Path, tiny: dict[str, str]) -> None:
    folder = mixed(tmp_path / "pictures", good=12, broken=1, other=0)
    roots = {"CLIPLINE_INGEST_ROOTS": str(tmp_path / "elsewhere")}
    with up(tmp_path / "data", environ={**tiny, **roots}) as apart:
        assert counts(ingest(apart, str(folder), "-c", "photos")) == (12, 0, 0, 1, 0)
        refused = ingest(apart, str(folder), "-c", "photos", "--reference", code=1)
        assert counts(refused) == (0, 0, 0, 0, 13)
        assert "CLIPLINE_INGEST_ROOTS" in refused["failed"][0]["reason"]


def test_a_file_over_the_limit_keeps_no_other_out(stack: RunningStack, tmp_path: Path, name: str) -> None:
    folder = mixed(tmp_path / "pictures", good=4, broken=0, other=0)
    for index, size in enumerate((33, 70)):
        with (folder / f"huge-{index}.png").open("wb") as file:
            file.truncate(size * 2**20)
    report = ingest(stack, str(folder), "-c", name, "--upload")
    assert counts(report) == (4, 0, 0, 2, 0)
    assert all("bytes" in row["reason"] or "larger" in row["reason"] for row in report["skipped"])


def test_links_that_go_round_or_nowhere_are_told(stack: RunningStack, tmp_path: Path, name: str) -> None:
    folder = mixed(tmp_path / "pictures", good=3, broken=0, other=0)
    (folder / "round").symlink_to(folder)
    (folder / "nowhere.png").symlink_to(folder / "gone.png")
    report = ingest(stack, str(folder), "-c", name, code=1)
    assert counts(report) == (3, 0, 0, 1, 1)


def test_ctrl_c_says_how_far_it_came_and_the_next_run_goes_on(stack: RunningStack, tmp_path: Path, name: str) -> None:
    folder = mixed(tmp_path / "pictures", good=600, broken=0, other=0)
    command = [sys.executable, "-m", "cli.main", "ingest", str(folder), "-c", name, "--json", "--url", stack.url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        until(lambda: held(stack, name) > 0, 60)
        process.send_signal(signal.SIGINT)
        output, told = process.communicate(timeout=60)
    if process.returncode == 130:  # it may have been done by then
        assert "run it again" in told
        assert "Traceback" not in told
    before = json.loads(output)["added"]
    report = ingest(stack, str(folder), "-c", name)
    assert report["added"] + report["unchanged"] == 600
    assert report["unchanged"] >= before


def test_a_server_that_is_not_there_is_code_3(tmp_path: Path) -> None:
    draw(tmp_path / "a.png", 1)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        for command in (["ingest", str(tmp_path), "-c", "x"], ["search", "x"], ["jobs"], ["collections"]):
            done = clipline(*command, url=url)
            assert (done.returncode, "Traceback" in done.stderr) == (3, False)
            assert url in done.stderr
            assert done.stderr.count("does not answer") == 1


def test_mistakes_are_code_2_and_refusals_code_1(stack: RunningStack, tmp_path: Path) -> None:
    draw(tmp_path / "a.png", 1)
    (tmp_path / "bad.json").write_text("[1]")
    mistakes = (
        ["ingest", str(tmp_path / "nowhere"), "-c", "x"],
        ["ingest", str(tmp_path), "-c", "No Name"],
        ["ingest", str(tmp_path), "-c", "x", "--payloads", str(tmp_path / "bad.json")],
        ["search", "  ", "-c", "x"],
        ["search", "x", "--limit", "0"],
        ["search", "x", "--where", "novalue"],
        ["jobs", "list", "--state", "nope"],
        ["collections", "create", "x", "--field", "a:wrong"],
        ["nonsense"],
    )
    for command in mistakes:
        done = clipline(*command, url=stack.url)
        assert (done.returncode, "Traceback" in done.stderr) == (2, False), f"{command}: {done.stderr}"
    for command in (["search", "x", "-c", "unknown"], ["jobs", "show", "unknown"], ["collections", "show", "unknown"]):
        done = clipline(*command, url=stack.url)
        assert (done.returncode, "Traceback" in done.stderr) == (1, False), f"{command}: {done.stderr}"
    misspelt = clipline("up", "--data", str(tmp_path / "d"), environ={"CLIPLINE_PROT": "1"})
    assert (misspelt.returncode, "CLIPLINE_PROT" in misspelt.stderr) == (2, True)


def test_a_folder_without_pictures_makes_no_collection(stack: RunningStack, tmp_path: Path, name: str) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    report = ingest(stack, str(tmp_path), "-c", name, code=1)
    assert counts(report) == (0, 0, 0, 1, 0)
    told = clipline("ingest", str(tmp_path), "-c", name, url=stack.url).stderr
    assert "no picture and no video was found" in told
    assert clipline("collections", "show", name, url=stack.url).returncode == 1


def test_no_create_wants_the_collection_to_be_there(stack: RunningStack, tmp_path: Path) -> None:
    draw(tmp_path / "a.png", 1)
    done = clipline("ingest", str(tmp_path), "-c", "absent", "--no-create", url=stack.url)
    assert (done.returncode, "absent" in done.stderr) == (1, True)


def test_jobs_can_be_listed_and_looked_at(stack: RunningStack, tmp_path: Path, name: str) -> None:
    draw(tmp_path / "a.png", 1)
    ingest(stack, str(tmp_path), "-c", name)
    clipline("search", "a needle", "-c", name, url=stack.url)
    listed = json.loads(clipline("jobs", "list", "--find", "needle", "--json", url=stack.url).stdout)["jobs"]
    job = listed[0]["id"]
    assert job in clipline("jobs", url=stack.url).stdout, "ids are never cut"
    assert json.loads(clipline("jobs", "show", job, "--json", url=stack.url).stdout)["state"] == "succeeded"
    finished = clipline("jobs", "cancel", job, url=stack.url)
    assert (finished.returncode, "ended" in finished.stderr) == (1, True)
    assert clipline("collections", "drop", name, "--yes", url=stack.url).returncode == 0
    assert name not in clipline("collections", url=stack.url).stdout


def test_a_collection_is_reindexed(stack: RunningStack, tmp_path: Path, name: str) -> None:
    folder = mixed(tmp_path / "pictures", good=20, broken=0, other=0)
    ingest(stack, str(folder), "-c", name, "--source-root", "shots")
    done = clipline("collections", "reindex", name, "--json", url=stack.url)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert (told["switched"], told["encoded"], told["from_copies"], told["count"]) == (True, 20, 0, 20)
    again = clipline("collections", "reindex", name, url=stack.url)
    assert (again.returncode, "20 encoded" in again.stdout) == (0, True)
    assert counts(ingest(stack, str(folder), "-c", name, "--source-root", "shots")) == (0, 0, 20, 0, 0)
    missing = clipline("collections", "reindex", "no-such", url=stack.url)
    assert (missing.returncode, "No such collection" in missing.stderr) == (1, True)


def held(stack: RunningStack, name: str) -> int:
    """Pictures that a collection says it has."""
    listed = json.loads(clipline("collections", "--json", url=stack.url).stdout)["collections"]
    return next((int(one["count"]) for one in listed if one["name"] == name), 0)


def test_help_is_quick_because_nothing_heavy_is_imported() -> None:
    probe = (
        "import sys, cli.main; print(sorted({'torch', 'qdrant_client', 'PIL', 'numpy', 'arq'} & sys.modules.keys()))"
    )
    loaded = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True, env=os.environ)
    assert loaded.stdout.strip() == "[]"
    for command in ([], ["up"], ["ingest"], ["jobs", "list"], ["keys", "add"], ["bench"]):
        assert clipline(*command, "--help").returncode == 0


@pytest.mark.parametrize("way", ["--reference", "--upload"])
def test_a_folder_of_videos_makes_a_collection_grouped_by_video(
    stack: RunningStack, tmp_path: Path, name: str, way: str
) -> None:
    folder = mixed(tmp_path / "films", good=3, broken=0, other=1)
    write_clip(folder / "a.mp4", scenes([1.0, 1.0]))
    write_clip(folder / "b.webm", scenes([1.0, 1.0, 1.0], first=10), codec="libvpx")
    (folder / "broken.avi").write_bytes(bytes(1_000))
    report = ingest(stack, str(folder), "-c", name, way, "--source-root", "films")
    assert counts(report) == (5, 0, 0, 2, 0)
    assert (report["frames"], report["partial"]) == (5, [])
    again = ingest(stack, str(folder), "-c", name, way, "--source-root", "films")
    assert (counts(again), again["frames"]) == ((0, 0, 5, 2, 0), 0)
    about = json.loads(clipline("collections", "show", name, url=stack.url).stdout)
    assert (about["count"], about["group_field"]) == (8, "video")
    assert about["payload"]["start_s"] == "float"
    steps = ingest(stack, str(folder / "a.mp4"), "-c", name, way, "--source-root", "films", "--video-step", "0.5")
    assert (steps["added"], steps["frames"]) == (1, 4)
    command = ["search", "red", "--then", "green", "--within", "20", "-c", name]
    found = json.loads(clipline(*command, "--json", url=stack.url).stdout)
    assert {"films/b.webm", "films/a.mp4"} == {group["group"] for group in found["groups"]}
    shown = clipline(*command, url=stack.url).stdout
    assert "films/b.webm" in shown
    assert " → " in shown
    told = clipline("ingest", str(folder / "b.webm"), "-c", name, "--video-step", "-1", url=stack.url)
    assert told.returncode == 2
