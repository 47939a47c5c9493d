"""What may be asked of the ledger, and the index terms that answer it."""

from datetime import datetime

import msgspec

from shared import terms
from shared.clock import ms_of
from shared.jobs import JobView, Kind, State
from shared.selection import Criteria


class JobFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Times are milliseconds since 1970, of a job's creation, both ends included.

    `q` is the beginning of an id, or whole words of the query text; the words only with `by_words`.
    """

    state: State | None = None
    kind: Kind | None = None
    collection: str | None = None
    worker: str | None = None
    error: str | None = None
    q: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    by_words: bool = True

    @property
    def prefix(self) -> str | None:
        """What an id may begin with: `q` when it is one word."""
        wanted = (self.q or "").strip().lower()
        return wanted if wanted and " " not in wanted else None

    @property
    def words(self) -> list[str]:
        return terms.words_of(self.q or "") if self.by_words else []

    def passes(self, job: JobView) -> bool:
        """What the index only suggests, the record decides."""
        return self._is_of(job) and self._is_in_time(job) and self._is_asked_for(job)

    def _is_of(self, job: JobView) -> bool:
        pairs = (
            (self.state, job.state),
            (self.kind, job.kind),
            (self.collection, job.collection),
            (self.worker, job.worker),
            (self.error, job.error.type if job.error is not None else None),
        )
        return all(wanted is None or wanted == its for wanted, its in pairs)

    def _is_in_time(self, job: JobView) -> bool:
        if self.since_ms is None and self.until_ms is None:
            return True
        created_ms = datetime.fromisoformat(job.created_at).timestamp() * 1000
        return self.covers(round(created_ms))

    def covers(self, created_ms: float) -> bool:
        return (self.since_ms or 0) <= created_ms and (self.until_ms is None or created_ms <= self.until_ms)

    def _is_asked_for(self, job: JobView) -> bool:
        if not self.q:
            return True
        if self.prefix is not None and job.id.lower().startswith(self.prefix):
            return True
        words = self.words
        return bool(words) and set(words) <= set(terms.words_of(job.text or ""))


class Group(msgspec.Struct, frozen=True):
    """Terms of which a job has at least one; an id that comes from one of `by_id` must begin with `prefix`."""

    names: tuple[str, ...] = ()
    by_id: tuple[str, ...] = ()
    prefix: str = ""

    def takes(self, job_id: str, scores: list[float | None]) -> bool:
        """`scores` are the job's in the indexes of `names`."""
        if any(score is not None for score in scores):
            return True
        return bool(self.by_id) and job_id.lower().startswith(self.prefix)


def groups_of(where: JobFilter) -> list[Group]:
    """Each must be met; their order is that of the fields, so that a cursor can name one by its number."""
    named = (
        (where.kind, terms.of_kind),
        (where.collection, terms.of_collection),
        (where.worker, terms.of_worker),
        (where.error, terms.of_error),
    )
    return [Group((of(value),)) for value, of in named if value] + _groups_of_q(where)


def _groups_of_q(where: JobFilter) -> list[Group]:
    if not where.q:
        return []
    words = where.words
    if where.prefix is None or len(words) > 1:
        return [Group((terms.of_word(word),)) for word in words] or [Group()]
    return [Group(tuple(terms.of_word(word) for word in words), _id_terms(where.prefix), where.prefix)]


def _id_terms(prefix: str) -> tuple[str, ...]:
    if len(prefix) >= terms.ID_CHARS:
        return (terms.of_id(prefix),)
    return tuple(terms.of_id(prefix + digit) for digit in "0123456789abcdef")


def filter_of(wanted: Criteria, *, state: State | None, by_words: bool) -> JobFilter:
    return JobFilter(
        state=state,
        kind=wanted.kind,
        collection=wanted.collection,
        worker=wanted.worker,
        error=wanted.error,
        q=wanted.q,
        since_ms=ms_of(wanted.since),
        until_ms=ms_of(wanted.until),
        by_words=by_words,
    )
