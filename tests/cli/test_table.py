"""Tables as people see them."""

import pytest

from cli import table

ROWS = [(1, "a"), (2, "b")]


@pytest.mark.parametrize(
    ("place", "lines"),
    [
        (0, ["rank  what", "── from here ──", "1     a", "2     b"]),
        (1, ["rank  what", "1     a", "── from here ──", "2     b"]),
        (2, ["rank  what", "1     a", "2     b"]),
    ],
)
def test_a_rule_stands_before_its_row_and_nowhere_behind_the_last(
    capsys: pytest.CaptureFixture[str], place: int, lines: list[str]
) -> None:
    table.show(("rank", "what"), ROWS, rule=(place, "── from here ──"))
    told = capsys.readouterr().out.splitlines()
    assert [line.strip() for line in told] == lines


def test_a_rule_is_as_wide_as_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    table.show(("id", "label"), [(123_456_789_012_345, "a red square on a table")], rule=(0, "less"))
    heading, rule, row = capsys.readouterr().out.splitlines()
    assert len(rule) == len(row)
    assert heading.startswith("id")
