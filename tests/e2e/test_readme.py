"""The README's commands and requests, as they stand there, against a running stack."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.e2e.running import RunningStack, up

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
ADDRESS = "http://127.0.0.1:8000"
SHELL = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
JSON = re.compile(r"^```json\n(.*?)^```", re.MULTILINE | re.DOTALL)
# These are what the stack itself is started with.
STARTERS = ("make", "CLIPLINE_KEYS_FILE=keys.toml clipline up")


def commands() -> list[str]:
    lines = "\n".join(SHELL.findall((ROOT / "README.md").read_text())).replace("\\\n", " ").splitlines()
    told = [line.partition(" #")[0].strip() for line in lines]
    return [line for line in told if line and not line.startswith(STARTERS)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reader's home, with some pictures."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "Pictures" / "summer").mkdir(parents=True)
    for index, colour in enumerate(("red", "green", "blue")):
        Image.new("RGB", (64, 48), colour).save(folder / "Pictures" / "summer" / f"{index}.jpg")
    return folder


def run(command: str, stack: RunningStack, home: Path) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environ = {**os.environ, "PATH": path, "HOME": str(home), "CLIPLINE_URL": stack.url}
    done = subprocess.run(
        ["bash", "-euc", command.replace(ADDRESS, stack.url)],
        cwd=home, env=environ, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_every_command_works_in_its_order(stack: RunningStack, home: Path) -> None:
    told = {command: run(command, stack, home) for command in commands()}
    assert any(command.startswith("curl") for command in told)
    first = next(answer for command, answer in told.items() if command.startswith("clipline search"))
    assert len(first.splitlines()) == 7, "a header, five hits, the time it took"
    assert "photos" in told["clipline collections"]
    counted = json.loads(next(answer for command, answer in told.items() if command.endswith("--json")))
    assert (counted["added"], counted["unchanged"]) == (0, 3), "the same command had added them before"


def test_the_answer_has_the_shape_that_is_shown(stack: RunningStack, home: Path) -> None:
    request = next(command for command in commands() if command.startswith("curl"))
    answer = json.loads(run(request, stack, home))
    shown = json.loads(JSON.findall((ROOT / "README.md").read_text())[0])
    assert shape(answer) == shape(shown)
    assert answer["state"] == "succeeded"


def test_with_a_key_others_are_let_in(home: Path, tmp_path: Path) -> None:
    make_key = next(command for command in commands() if "keys add" in command)
    key = subprocess.run(
        [sys.executable, "-m", "cli.main", *shlex.split(make_key)[1:]],
        cwd=home, capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    environ = {"CLIPLINE_KEYS_FILE": str(home / "keys.toml")}
    with up(tmp_path / "data", "--host", "0.0.0.0", environ=environ) as stack:
        curl = f"curl -s -o /dev/null -w '%{{http_code}}' {stack.url}/v1/collections"
        assert run(curl, stack, home) == "401"
        assert run(f"{curl} -H 'Authorization: Bearer {key}'", stack, home) == "200"


def shape(value: Any) -> Any:
    """Names and types: which numbers and words came is another matter."""
    if isinstance(value, dict):
        return {name: shape(one) for name, one in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__
