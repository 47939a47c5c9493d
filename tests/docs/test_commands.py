"""The commands that texts tell people to type exist, with the options that are shown."""

import re
from pathlib import Path
from typing import get_args

import pytest
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from cli.main import app
from shared.filter_check import FieldType

ROOT = Path(__file__).parents[2]
ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yml"
TEXTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md")), ALERTS]
# At the beginning of a line, perhaps behind variables, or quoted within a sentence.
SHOWN = re.compile(r"^(?:CLIPLINE_\S+ )*clipline ([^#\n]+)|`clipline ([^`]+)`", re.MULTILINE)


def unknown(shown: str) -> list[str]:
    """Words of a command that the command line does not know: names of commands, and options."""
    found, options = get_command(app), {"--help"}
    words = re.sub(r'"[^"]*"', "TEXT", shown).split()
    while isinstance(found, TyperGroup) and words and not words[0].startswith("-"):
        if words[0] not in found.commands:
            return words[:1]
        found = found.commands[words.pop(0)]
    assert isinstance(found, TyperCommand | TyperGroup)
    for parameter in found.params:
        options |= {*parameter.opts, *parameter.secondary_opts}
    return [word for word in words if re.match(r"--?[a-z]", word) and word not in options]


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_what_a_text_tells_people_to_type_is_known(path: Path) -> None:
    shown = [line or quoted for line, quoted in SHOWN.findall(path.read_text())]
    assert {one: wrong for one in shown if (wrong := unknown(one))} == {}


def test_commands_and_options_that_are_none_are_found() -> None:
    assert unknown("ingest ~/Pictures --collection photos --json") == []
    assert unknown("serach cat") == ["serach"]
    assert unknown("queues stop bulk") == ["stop"]
    assert unknown("collections create photos --feild year:integer") == ["--feild"]


def test_the_help_names_every_type_of_a_field() -> None:
    groups = get_command(app).commands  # type: ignore[attr-defined]
    told = next(
        parameter.help for parameter in groups["collections"].commands["create"].params if parameter.name == "field"
    )
    assert all(type_ in told for type_ in get_args(FieldType))
