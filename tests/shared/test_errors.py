"""The error tree and what clients see of it."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import errors
from shared.errors import BadRequest, CliplineError, Invalid, Problem
from shared.jobs import Ingest, Search
from shared.problems import decode_json, from_validation, problem_of
from tests.shared.examples import some


def tree(root: type[CliplineError]) -> list[type[CliplineError]]:
    return [root, *(one for child in root.__subclasses__() for one in tree(child))]


# Not those that other modules derive for themselves.
CLASSES = [one for one in tree(CliplineError) if one.__module__ == errors.__name__]
# Never raised themselves, they gather their children.
ABSTRACT = {"JobEnded", "InternalError", "CliplineError"}

STATUSES = {
    400: {"BadRequest"},
    401: {"Unauthorized"},
    403: {"Forbidden"},
    404: {
        "NotFound",
        "JobNotFound",
        "CollectionNotFound",
        "ItemNotFound",
        "SessionNotFound",
        "LaneNotFound",
        "WorkerNotFound",
    },
    405: {"MethodNotAllowed"},
    408: {"RequestTimeout"},
    409: {
        *(
            "Conflict",
            "CollectionDiffers",
            "JobFinished",
            "JobNotRetryable",
            "KeyReused",
            "ModelMismatch",
            "NothingToContinue",
            "NothingToUndo",
            "SessionFull",
            "ReindexRunning",
        ),
        *("Cancelled", "Superseded", "JobStillOpen"),
    },
    413: {"TooLarge"},
    415: {"UnsupportedMediaType"},
    422: {"Invalid", "BadPicture", "PictureTooLarge", "BadVideo", "VideoTooLarge", "NotVisible"},
    429: {"TooManyRequests", "TenantBusy", "RateLimited", "TooManySessions"},
    500: {"CliplineError", "JobEnded", "WorkerLost", "InternalError"},
    503: {"Unavailable", "QueueFull", "QueueAway", "StoreAway", "EncoderAway"},
    504: {"Expired", "TimedOut"},
}


def test_every_error_has_the_status_of_the_contract() -> None:
    found: dict[int, set[str]] = {}
    for one in CLASSES:
        found.setdefault(one.status, set()).add(one.__name__)
    assert found == STATUSES


def test_every_error_that_clients_meet_has_a_slug_and_a_title_of_its_own() -> None:
    concrete = [one for one in CLASSES if one.__name__ not in ABSTRACT]
    assert len({one.slug for one in concrete}) == len(concrete)
    assert len({one.title for one in concrete}) == len(concrete)
    assert all(one.slug != CliplineError.slug for one in concrete)


def test_the_tree_at_the_top_of_the_file_names_every_class() -> None:
    assert [one.__name__ for one in CLASSES if one.__name__ not in (errors.__doc__ or "")] == []


@pytest.mark.parametrize("kind", CLASSES)
def test_a_problem_says_what_its_error_says(kind: type[CliplineError]) -> None:
    problem = kind("because", field="query.text").problem()
    assert (problem.type, problem.title, problem.status) == (kind.slug, kind.title, kind.status)
    assert (problem.detail, problem.field, problem.retryable) == ("because", "query.text", kind.retryable)
    assert msgspec.json.decode(msgspec.json.encode(problem), type=Problem) == problem


@pytest.mark.parametrize("kind", [one for one in CLASSES if one.status == 503])
def test_what_is_away_says_when_to_come_back(kind: type[CliplineError]) -> None:
    problem = kind().problem()
    assert problem.retry_after_s is not None
    assert problem.retryable


def test_an_unexpected_exception_keeps_its_text_to_itself() -> None:
    problem = problem_of(ValueError("password=hunter2"))
    assert (problem.type, problem.status) == ("internal-error", 500)
    assert "hunter2" not in msgspec.json.encode(problem).decode()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ('{"kind":"search","collection":"p","query":{"text":5}}', "query.text"),
        ('{"kind":"search","collection":"p","query":{"positive":[1,"2"]}}', "query.positive[1]"),
        ('{"kind":"search","collection":"p","query":{"text":"a"},"limit":0}', "limit"),
        ('{"kind":"search","collection":"p","query":{"text":"a"},"exclude":{"ids":[-1]}}', "exclude.ids[0]"),
        ('{"kind":"search","collection":"p","query":{"text":"a"},"filter":{"must":[{"key":"a"}]}}', "filter.must[0]"),
        ('{"kind":"search","collection":"p","query":{"text":" "}}', "query"),
        ('{"kind":"search","collection":"p","query":{"text":"a"},"slot":"s"}', None),
    ],
)
def test_a_wrong_field_is_named(body: str, field: str | None) -> None:
    with pytest.raises(Invalid) as refused:
        decode_json(body.encode(), Search)
    assert refused.value.field == field
    assert "`$" not in refused.value.detail


def test_a_field_is_named_below_its_root() -> None:
    with pytest.raises(msgspec.ValidationError) as wrong:
        msgspec.convert({"collection": "p", "files": [{"source": ""}]}, Ingest)
    assert from_validation(wrong.value, root="search").field == "search.files[0].source"


@some
@given(st.binary(max_size=60) | st.sampled_from([b"", b"{", b"[" * 100_000, b'"\xff"', b"\xff\xfe", b"nan", b"{}x"]))
def test_bytes_that_are_no_json_are_a_bad_request_and_never_worse(data: bytes) -> None:
    with pytest.raises((BadRequest, Invalid)):
        decode_json(data, Search)
