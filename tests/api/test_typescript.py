"""The web client's types are those of the API, always."""

from pathlib import Path

import msgspec
import pytest

from api import typescript
from shared import jobs as shared_jobs
from shared.jobs import JobView

CONTRACT = Path(__file__).parents[2] / "web" / "src" / "client" / "contract.ts"


def test_the_web_client_s_types_are_up_to_date() -> None:
    assert CONTRACT.read_text() == typescript.document(), "run `npm run contract` in web/"


def test_what_an_answer_always_has_is_required_and_what_a_request_may_lack_is_not() -> None:
    told = typescript.document()
    answer = told.partition("export interface Job {")[2].partition("}")[0]
    assert "\n  history: Attempt[];" in answer
    assert "\n  started_at: string | null;" in answer
    assert [line.split(":")[0].strip() for line in answer.splitlines() if ":" in line] == list(
        JobView.__struct_fields__
    )
    request = told.partition("export interface Search {")[2].partition("}")[0]
    assert "\n  collection: string;" in request
    assert "\n  limit?: number;" in request
    assert "\n  filter?: Filter;" in request


def test_two_types_of_one_name_are_refused() -> None:
    class Search(msgspec.Struct):
        text: str

    class Both(msgspec.Struct):
        one: Search
        other: shared_jobs.Search

    with pytest.raises(ValueError, match="Search"):
        typescript._structs([Both])
