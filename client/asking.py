"""What a search asks for, from plain arguments."""

from datetime import datetime
from typing import TypedDict

from shared.errors import Invalid
from shared.filters import Filter
from shared.jobs import Exclude, Kind, Lane, Query, Search, State, Then


class Options(TypedDict, total=False):
    """The fields of a search beside where and what; the API's documentation tells of each."""

    then: list[Then]
    limit: int
    filter: Filter | None
    seen: list[int]
    exclude: Exclude | None
    group_by: str | None
    group_size: int
    payload: bool
    lane: Lane
    deadline_ms: int | None
    marks: bool
    remember: bool


class Where(TypedDict, total=False):
    """Which jobs, and which page of them: `q` is an id's beginning or words of the query, `error` the type of the
    problem that a job ended with, `before` an earlier page's `next`; `tenant` is for operators, `*` are all tenants.
    """

    state: State
    kind: Kind
    collection: str
    worker: str
    error: str
    q: str
    since: datetime
    until: datetime
    tenant: str
    before: str | None
    limit: int


def asked(collection: str, query: str | Query, options: Options) -> Search:
    """Words alone are a query too. Raises Invalid."""
    try:
        wanted = Query(text=query) if isinstance(query, str) else query
    except ValueError as error:
        raise Invalid(str(error), field="query") from error
    return Search(collection=collection, query=wanted, **options)
