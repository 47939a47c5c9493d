"""`clipline sessions` and `clipline search --session`, against a running stack."""

import json
from pathlib import Path

import httpx
import pytest

from tests.cli.pictures import mixed
from tests.e2e.running import RunningStack, clipline

pytestmark = pytest.mark.slow

NAME = "sitting"
COUNT = 12


@pytest.fixture(scope="module")
def filled(stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = mixed(tmp_path_factory.mktemp("pictures"), good=COUNT, broken=0, other=0)
    assert clipline("ingest", str(folder), "-c", NAME, url=stack.url).returncode == 0
    return NAME


@pytest.fixture
def session(stack: RunningStack) -> str:
    return clipline("sessions", "create", url=stack.url).stdout.strip()


def searched(stack: RunningStack, *options: str) -> list[int]:
    found = json.loads(clipline("search", *options, "-c", NAME, "--json", url=stack.url).stdout)
    return [hit["id"] for hit in found["hits"]]


def seen(stack: RunningStack, session: str) -> int:
    shown = json.loads(clipline("sessions", "show", session, "-c", NAME, "--json", url=stack.url).stdout)
    return int(shown["sets"]["counts"]["seen"])


def test_pages_go_on_and_what_is_remembered_does_not_come_again(stack: RunningStack, filled: str, session: str) -> None:
    first = searched(stack, "red", "--session", session, "--remember", "-n", "5")
    second = searched(stack, "--session", session, "--next", "-n", "5")
    assert seen(stack, session) == 10
    rest = searched(stack, "red", "--session", session, "-n", str(COUNT))
    assert len({*first, *second, *rest}) == len(first) + len(second) + len(rest) == COUNT
    told = clipline("sessions", "history", session, url=stack.url).stdout
    assert "red" in told


def test_a_session_is_taken_along_in_a_file(stack: RunningStack, filled: str, session: str, tmp_path: Path) -> None:
    one = searched(stack, "red", "-n", "1")[0]
    marks = {"collection": NAME, "exclude": {"add": [one]}}
    httpx.post(f"{stack.url}/v1/sessions/{session}/marks", json=marks, timeout=60, trust_env=False).raise_for_status()
    kept = tmp_path / "session.json"
    assert clipline("sessions", "export", session, "--to", str(kept), url=stack.url).returncode == 0
    made = clipline("sessions", "import", str(kept), url=stack.url).stdout.strip()
    assert made != session
    assert one not in searched(stack, "red", "--session", made)
    assert "exclude 0" in clipline("sessions", "undo", session, "-c", NAME, url=stack.url).stdout
    assert one in searched(stack, "red", "--session", session)
    assert "exclude 1" in clipline("sessions", "redo", session, "-c", NAME, url=stack.url).stdout
    clipline("sessions", "undo", session, "-c", NAME, url=stack.url)
    assert clipline("sessions", "import", str(kept), "--into", session, url=stack.url).stdout.strip() == session
    assert one not in searched(stack, "red", "--session", session)
    shown = clipline("sessions", "show", session, "-c", NAME, url=stack.url).stdout
    assert NAME in shown


def test_sessions_are_listed_and_ended(stack: RunningStack, filled: str, session: str) -> None:
    searched(stack, "red", "--session", session, "--remember", "-n", "1")
    other = clipline("sessions", "create", url=stack.url).stdout.strip()
    page = json.loads(clipline("sessions", "list", "-n", "2", "--json", url=stack.url).stdout)
    assert [(one["session"], one["collections"]) for one in page["sessions"]] == [(other, []), (session, [NAME])]
    shown = clipline("sessions", "list", "-n", "1", url=stack.url)
    assert other in shown.stdout
    assert session not in shown.stdout
    place = shown.stderr.strip().removeprefix("more of them: ").split()
    assert session in clipline("sessions", "list", *place, url=stack.url).stdout
    done = clipline("sessions", "drop", other, session, url=stack.url)
    assert (done.returncode, done.stdout.split()) == (0, ["ended", other, "ended", session])
    assert session not in clipline("sessions", "list", url=stack.url).stdout
    gone = clipline("search", "red", "--session", session, "-c", NAME, url=stack.url)
    assert (gone.returncode, "it has ended" in gone.stderr) == (1, True), gone.stderr


def test_what_cannot_be_is_said_before_anybody_is_asked(tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text('{"version": 2}')
    for command, word in (
        (["search", "--next", "-c", "x"], "--session"),
        (["search", "a", "--remember", "-c", "x"], "--session"),
        (["search", "a", "--session", "s", "--next", "-c", "x"], "--next"),
        (["search", "-c", "x"], "a text"),
        (["search", "a", "--session", "no such", "-c", "x"], "--session"),
        (["sessions", "import", str(broken)], "no exported session"),
        (["sessions", "import", str(tmp_path / "none.json")], "No such file"),
        (["sessions"], "create"),
    ):
        done = clipline(*command, url="http://127.0.0.1:9")
        assert (done.returncode, word in done.stderr) == (2, True), (command, done.stderr)


def test_an_unknown_session_is_told(stack: RunningStack, filled: str) -> None:
    for command in (["search", "a", "--session", "unknown", "-c", NAME], ["sessions", "show", "unknown"]):
        done = clipline(*command, url=stack.url)
        assert (done.returncode, "session" in done.stderr.lower()) == (1, True), done.stderr
