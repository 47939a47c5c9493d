"""Names of payload fields as JSON paths."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Invalid
from shared.payload_path import path_of


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("label", "label"),
        ("a-b_c9", "a-b_c9"),
        ("deep.er", "deep.er"),
        ("tags[]", "tags[]"),
        ("tags[0].name", "tags[0].name"),
        ("odd key", '"odd key"'),
        ("ż.x", '"ż".x'),
        ('"a.b".c', '"a.b".c'),
        ("rows[][1]", "rows[][1]"),
    ],
)
def test_names_become_paths(key: str, path: str) -> None:
    assert path_of(key) == path


@given(key=st.text(max_size=20))
def test_any_text_is_a_path_or_invalid_and_a_path_stays_one(key: str) -> None:
    try:
        path = path_of(key)
    except Invalid:
        return
    assert path_of(path) == path
