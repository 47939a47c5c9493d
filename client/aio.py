"""The asynchronous client."""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self, Unpack

import msgspec

from client import calls, uploads
from client.address import DEFAULT_URL, Address
from client.answers import CollectionList, JobPage, added
from client.asking import Options, Where, asked
from client.backoff import Backoff
from client.calls import MediaSize
from client.frames import JobFrame
from client.http import PATIENCE_S, Http
from client.live import Live
from client.problems import succeeded
from client.run import Run
from client.sessions import Sessions
from client.typeahead import Typeahead
from client.uploads import Upload
from shared.filters import Filter
from shared.jobs import (
    MAIN_SLOT,
    Collection,
    CollectionSpec,
    Facet,
    FacetsResult,
    File,
    IngestResult,
    Item,
    JobView,
    NeighboursResult,
    Query,
    ReindexResult,
    Search,
    SearchResult,
)

SEARCH_S = 30.0
# A batch of pictures may wait in a long queue.
INGEST_S = 3_600.0
# All pictures of a collection.
REINDEX_S = 86_400.0

_slots = count(1)


class AsyncClipline(Sessions):
    """One server. Searches and jobs come over one websocket, opened when it is first needed.

    `patience_s` bounds how long a server that is busy or away is asked again; its `Retry-After` is kept to.
    Every method raises CliplineError; see `shared.errors` and `client.problems`.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        key: str | None = None,
        patience_s: float = PATIENCE_S,
        backoff: Callable[[], Backoff] = Backoff,
        session: str | None = None,
    ) -> None:
        """With a `session` its searches go on in that one. Raises ValueError for an address that is none."""
        address = Address.parse(url)
        self.http = Http(address, key=key, patience_s=patience_s, backoff=backoff)
        self.live = Live(address, key=key, patience_s=patience_s, backoff=backoff, session=session)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """What is still open raises Closed."""
        await self.live.close()
        await self.http.close()

    async def search(
        self,
        collection: str,
        query: str | Query,
        *,
        slot: str | None = None,
        timeout_s: float = SEARCH_S,
        **options: Unpack[Options],
    ) -> SearchResult:
        """What is asked while the connection is away goes out when it is back; a newer search of a `slot` ends an
        older one with Superseded."""
        return await self.live.search(asked(collection, query, options), slot=slot, timeout_s=timeout_s)

    async def next_page(
        self,
        collection: str,
        *,
        slot: str = MAIN_SLOT,
        limit: int = 24,
        remember: bool = False,
        timeout_s: float = SEARCH_S,
    ) -> SearchResult:
        """What comes after what the last search of that slot has shown; nothing is encoded again.

        Raises NothingToContinue.
        """
        search = Search(collection=collection, next=True, limit=limit, remember=remember)
        return await self.live.search(search, slot=slot, timeout_s=timeout_s)

    def submit(
        self,
        collection: str,
        query: str | Query,
        *,
        slot: str | None = None,
        timeout_s: float = SEARCH_S,
        **options: Unpack[Options],
    ) -> Run:
        """A search whose steps can be followed and which can be taken back."""
        search = asked(collection, query, options)
        return Run(lambda hear: self.live.search(search, slot=slot, timeout_s=timeout_s, hear=hear))

    def follow(self, job_id: str) -> AsyncIterator[JobFrame]:
        """What happens to any job of the tenant: its state now, its events, then its result."""
        return self.live.follow(job_id)

    def typeahead(self, collection: str, *, timeout_s: float = SEARCH_S, **options: Unpack[Options]) -> Typeahead:
        """Searches of which only the newest is answered."""
        slot = f"typeahead-{next(_slots)}"
        return Typeahead(lambda text: self.search(collection, text, slot=slot, timeout_s=timeout_s, **options))

    async def upload(
        self, collection: str, pictures: Iterable[Upload | Path], *, timeout_s: float = INGEST_S
    ) -> IngestResult:
        """Add pictures by sending them, in several jobs where they are many; a file's name is its source."""
        total = IngestResult(collection=collection)
        sized = uploads.by_size(map(uploads.upload_of, pictures), lambda one: one.size_bytes)
        for group in sized:
            call = calls.upload(collection, await uploads.read(group))
            total = added(total, await self.http.ended(call, timeout_s=timeout_s))
        return total

    async def ingest(self, collection: str, files: Sequence[File], *, timeout_s: float = INGEST_S) -> IngestResult:
        """Add pictures that the workers see by their absolute path."""
        job = await self.http.ended(calls.ingest(collection, files), timeout_s=timeout_s)
        return added(IngestResult(collection=collection), job)

    async def collections(self) -> list[Collection]:
        return (await self.http.read(calls.collections(), CollectionList)).collections

    async def collection(self, name: str) -> Collection:
        return await self.http.read(calls.collection(name), Collection)

    async def create_collection(self, name: str, spec: CollectionSpec | None = None) -> None:
        """One that is there already and the same is left as it is."""
        await self.http.changed(calls.create_collection(name, spec or CollectionSpec()))

    async def reindex(
        self,
        collection: str,
        *,
        leave_out: bool = False,
        model_name: str | None = None,
        timeout_s: float = REINDEX_S,
    ) -> ReindexResult:
        """Encode its pictures anew with its model, or with the one that `model_name` says; `follow` tells how far such
        a job is.

        Without `leave_out` nothing is switched where pictures can no longer be read.
        """
        call = calls.reindex(collection, leave_out=leave_out, model_name=model_name)
        job = await self.http.ended(call, timeout_s=timeout_s)
        return msgspec.convert(succeeded(job).result, ReindexResult)

    async def drop_collection(self, name: str) -> None:
        await self.http.changed(calls.drop_collection(name))

    async def item(self, collection: str, item_id: int) -> Item:
        return await self.http.read(calls.item(collection, item_id), Item)

    async def neighbours(self, collection: str, item_id: int, *, before: int = 3, after: int = 3) -> NeighboursResult:
        """What stands before and after an item in its group."""
        asked = calls.neighbours(collection, item_id, before=before, after=after)
        return await self.http.read(asked, NeighboursResult)

    async def facets(
        self, collection: str, fields: Sequence[str], *, filter: Filter | None = None, limit: int = 20
    ) -> list[Facet]:
        """How many items have which values of these fields, the most frequent ones first."""
        return (await self.http.read(calls.facets(collection, fields, where=filter, limit=limit), FacetsResult)).facets

    async def media(self, collection: str, item_id: int, *, size: MediaSize = "thumb") -> bytes:
        """A picture as JPEG, or as WebP where an earlier version wrote it."""
        return (await self.http.send(calls.media(collection, item_id, size))).content

    async def jobs(self, **where: Unpack[Where]) -> JobPage:
        """Newest first, without results."""
        return await self.http.read(calls.jobs(**where), JobPage)

    async def job(self, job_id: str) -> JobView:
        return await self.http.read(calls.job(job_id), JobView)

    async def finished(self, job_id: str, *, timeout_s: float = SEARCH_S) -> JobView:
        """The job when it ended, however it did, by long polls."""
        return await self.http.finished(job_id, timeout_s=timeout_s)

    async def cancel(self, job_id: str) -> None:
        await self.http.cancel(job_id)

    async def retry(self, job_id: str) -> None:
        """Run an ended job again under its id."""
        await self.http.send(calls.retry(job_id))
