"""The blocking client: the asynchronous one, on an event loop in a thread of its own."""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, Unpack

from client.address import DEFAULT_URL
from client.aio import INGEST_S, REINDEX_S, SEARCH_S, AsyncClipline
from client.answers import JobPage
from client.asking import Options, Where
from client.background import Background
from client.backoff import Backoff
from client.calls import MediaSize
from client.frames import JobFrame, SessionChanged
from client.http import PATIENCE_S
from client.typeahead import Typeahead
from client.uploads import Upload
from shared.archive import Archive
from shared.filters import Filter
from shared.history import PastSearch
from shared.jobs import (
    MAIN_SLOT,
    Collection,
    CollectionSpec,
    Facet,
    File,
    IngestResult,
    Item,
    JobView,
    NeighboursResult,
    Query,
    ReindexResult,
    SearchResult,
)
from shared.marks import Marked, Marks, Seat, SessionView
from shared.session_list import SessionPage


class BlockingTypeahead:
    """As Typeahead; whoever types asks from threads, of which only the newest gets an answer."""

    def __init__(self, background: Background, typeahead: Typeahead) -> None:
        self._background = background
        self._typeahead = typeahead

    def ask(self, text: str) -> SearchResult | None:
        """The answer, or None when a newer asking took this one's place."""
        return self._background.run(self._typeahead.ask(text))


class Clipline:
    """As AsyncClipline, method by method; any thread may use it."""

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        key: str | None = None,
        patience_s: float = PATIENCE_S,
        backoff: Callable[[], Backoff] = Backoff,
        session: str | None = None,
    ) -> None:
        """Raises ValueError for an address that is none."""
        self._aio = AsyncClipline(url, key=key, patience_s=patience_s, backoff=backoff, session=session)
        self._background = Background()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._background.run(self._aio.close())
        self._background.close()

    def search(
        self,
        collection: str,
        query: str | Query,
        *,
        slot: str | None = None,
        timeout_s: float = SEARCH_S,
        **options: Unpack[Options],
    ) -> SearchResult:
        return self._background.run(self._aio.search(collection, query, slot=slot, timeout_s=timeout_s, **options))

    def next_page(
        self, collection: str, *, slot: str = MAIN_SLOT, limit: int = 24, remember: bool = False
    ) -> SearchResult:
        return self._background.run(self._aio.next_page(collection, slot=slot, limit=limit, remember=remember))

    @property
    def session(self) -> str | None:
        return self._aio.session

    def create_session(self) -> str:
        return self._background.run(self._aio.create_session())

    def sessions(self, *, before: str | None = None, limit: int = 50) -> SessionPage:
        return self._background.run(self._aio.sessions(before=before, limit=limit))

    def drop_session(self, session: str) -> None:
        self._background.run(self._aio.drop_session(session))

    def session_view(self, session: str, collection: str | None = None) -> SessionView:
        return self._background.run(self._aio.session_view(session, collection))

    def mark(self, session: str, marks: Marks) -> Marked:
        return self._background.run(self._aio.mark(session, marks))

    def undo(self, session: str, collection: str) -> Marked:
        return self._background.run(self._aio.undo(session, collection))

    def redo(self, session: str, collection: str) -> Marked:
        return self._background.run(self._aio.redo(session, collection))

    def join(self, session: str, name: str) -> Seat:
        return self._background.run(self._aio.join(session, name))

    def changes(self) -> Iterator[SessionChanged | None]:
        async def begin() -> AsyncIterator[SessionChanged | None]:
            return self._aio.changes()

        return self._background.iterate(self._background.run(begin()))

    def export_session(self, session: str) -> Archive:
        return self._background.run(self._aio.export_session(session))

    def import_session(self, archive: Archive, session: str | None = None) -> str:
        return self._background.run(self._aio.import_session(archive, session))

    def history(self, session: str, *, limit: int = 50) -> list[PastSearch]:
        return self._background.run(self._aio.history(session, limit=limit))

    def submit(
        self, collection: str, query: str | Query, *, timeout_s: float = SEARCH_S, **options: Unpack[Options]
    ) -> Iterator[JobFrame]:
        """What happens to a search, step by step: events, then the result."""

        async def begin() -> AsyncIterator[JobFrame]:
            return aiter(self._aio.submit(collection, query, timeout_s=timeout_s, **options))

        return self._background.iterate(self._background.run(begin()))

    def follow(self, job_id: str) -> Iterator[JobFrame]:
        return self._background.iterate(self._aio.follow(job_id))

    def typeahead(
        self, collection: str, *, timeout_s: float = SEARCH_S, **options: Unpack[Options]
    ) -> BlockingTypeahead:
        return BlockingTypeahead(self._background, self._aio.typeahead(collection, timeout_s=timeout_s, **options))

    def upload(
        self, collection: str, pictures: Iterable[Upload | Path], *, timeout_s: float = INGEST_S
    ) -> IngestResult:
        return self._background.run(self._aio.upload(collection, pictures, timeout_s=timeout_s))

    def ingest(self, collection: str, files: Sequence[File], *, timeout_s: float = INGEST_S) -> IngestResult:
        return self._background.run(self._aio.ingest(collection, files, timeout_s=timeout_s))

    def collections(self) -> list[Collection]:
        return self._background.run(self._aio.collections())

    def collection(self, name: str) -> Collection:
        return self._background.run(self._aio.collection(name))

    def create_collection(self, name: str, spec: CollectionSpec | None = None) -> None:
        self._background.run(self._aio.create_collection(name, spec))

    def reindex(
        self,
        collection: str,
        *,
        leave_out: bool = False,
        model_name: str | None = None,
        timeout_s: float = REINDEX_S,
    ) -> ReindexResult:
        return self._background.run(
            self._aio.reindex(collection, leave_out=leave_out, model_name=model_name, timeout_s=timeout_s)
        )

    def drop_collection(self, name: str) -> None:
        self._background.run(self._aio.drop_collection(name))

    def item(self, collection: str, item_id: int) -> Item:
        return self._background.run(self._aio.item(collection, item_id))

    def neighbours(self, collection: str, item_id: int, *, before: int = 3, after: int = 3) -> NeighboursResult:
        return self._background.run(self._aio.neighbours(collection, item_id, before=before, after=after))

    def facets(
        self, collection: str, fields: Sequence[str], *, filter: Filter | None = None, limit: int = 20
    ) -> list[Facet]:
        return self._background.run(self._aio.facets(collection, fields, filter=filter, limit=limit))

    def media(self, collection: str, item_id: int, *, size: MediaSize = "thumb") -> bytes:
        return self._background.run(self._aio.media(collection, item_id, size=size))

    def jobs(self, **where: Unpack[Where]) -> JobPage:
        return self._background.run(self._aio.jobs(**where))

    def job(self, job_id: str) -> JobView:
        return self._background.run(self._aio.job(job_id))

    def finished(self, job_id: str, *, timeout_s: float = SEARCH_S) -> JobView:
        return self._background.run(self._aio.finished(job_id, timeout_s=timeout_s))

    def cancel(self, job_id: str) -> None:
        self._background.run(self._aio.cancel(job_id))

    def retry(self, job_id: str) -> None:
        self._background.run(self._aio.retry(job_id))
