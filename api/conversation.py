"""What a websocket's client asks for, and the answers."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import assert_never

import msgspec

from api import auth, bodies, frames, models, sessions
from api.outbox import Outbox
from api.pace import Pace
from api.problems import TRY_LATER
from api.search import check_places
from api.state import State
from api.submission import submit
from api.subscription import Subscription
from shared.clock import ms_of, now_ms
from shared.errors import (
    BadRequest,
    CliplineError,
    Forbidden,
    Invalid,
    JobNotFound,
    RateLimited,
    TooManyRequests,
    Unauthorized,
)
from shared.events import Event, order
from shared.jobs import FINAL, JobView, Search
from shared.problems import from_validation
from shared.tenants import Identity
from shared.trace_context import followed, following, trace_id

logger = logging.getLogger(__name__)


class Conversation:
    """Handles one frame after the other; a refused one is answered, and nothing else happens."""

    def __init__(self, state: State, identity: Identity, subscription: Subscription, outbox: Outbox) -> None:
        self.state = state
        self.identity = identity
        self.subscription = subscription
        self.outbox = outbox
        assert subscription.session is not None, "a websocket has a session"
        self.session = subscription.session
        self.pace = Pace(state["settings"].max_frames_s)

    async def hear(self, text: str) -> None:
        """Raises BadRequest for what is no JSON, Unauthorized for a wrong key: both end the connection."""
        if self.pace.allows():
            await self.state["turns"].mine()
            await self._read(text)
        else:
            most = self.state["settings"].max_frames_s
            self._refuse(frames.id_in(text), None, RateLimited(f"at most {most:,} frames a second", retry_after_s=1))
        await self.outbox.eased()

    async def _read(self, text: str) -> None:
        try:
            frame = frames.decode(text)
        except Invalid as error:
            self._refuse(frames.id_in(text), None, error)
        else:
            await self._answer(frame)

    async def _answer(self, frame: frames.ClientFrame) -> None:
        try:
            await self._do(frame)
        except Unauthorized:
            raise
        except CliplineError as error:
            name = None if isinstance(frame, frames.Hello) else frame.id
            job = frame.job if isinstance(frame, frames.Cancel | frames.Watch) else None
            self._refuse(name, job, error)

    async def _do(self, frame: frames.ClientFrame) -> None:
        match frame:
            case frames.SearchFrame():
                await self._search(frame)
            case frames.Watch():
                await self._watch(frame)
            case frames.Cancel():
                await self._cancel(frame)
            case frames.Ping():
                self.outbox.put(frames.Pong(id=frame.id))
            case frames.Hello():
                self._greet(frame)
            case frames.Follow():
                self._follow()
            case frames.MarkFrame() | frames.UndoFrame() | frames.RedoFrame():
                await self._mark(frame)
            case _:
                assert_never(frame)

    async def _search(self, frame: frames.SearchFrame) -> None:
        most = self.state["settings"].max_open_searches
        if len(self.subscription.open) >= most:
            raise TooManyRequests(f"{most:,} searches of this connection are still open", retry_after_s=1)
        search = self._search_in(frame)
        tenant = self.identity.tenant
        collection = await check_places(self.state, search, tenant=tenant, root="search")
        model_name = models.serving(self.state, collection)
        # As a header would be: one that is none is passed over, and the handshake's counts for all.
        parent = frame.traceparent if trace_id(frame.traceparent) else followed()
        with self.subscription.holding() as place, following(parent):
            submitted = await submit(
                self.state,
                search,
                tenant=tenant,
                client_id=frame.id,
                idempotency_key=frame.key,
                any_session=True,
                model_name=model_name,
            )
            if submitted.known:
                await self._go_on(frame.id, submitted.id, place)
                return
            self.subscription.open.add(submitted.id)
            position = msgspec.UNSET if submitted.position is None else submitted.position
            self.outbox.put(frames.Accepted(id=frame.id, job=submitted.id, position=position))

    async def _go_on(self, name: str, job: str, place: str) -> None:
        """A search that was sent again goes on under the name that it has now."""
        with self._watching(job, name):
            view = await self._view(job)
            told = await self._is_told(view, name, place)
        if view.state not in FINAL:
            self.subscription.open.add(job)
        self.outbox.put(frames.Accepted(id=name, job=job))
        if told:
            self.subscription.unwatch(job)
        else:
            self._show(view, name, place)

    async def _is_told(self, view: JobView, name: str, place: str) -> bool:
        """Whether the session tells of the job under this very name by itself: did so here, or is about to."""
        if view.session != self.session or await self.state["snapshots"].client_id(view.id) != name:
            return False
        if view.finished_at is None or self.subscription.has_told_end(view.id):
            return True
        finished_ms = ms_of(datetime.fromisoformat(view.finished_at)) or 0
        return finished_ms > order(place)[0]

    async def _mark(self, frame: frames.MarkFrame | frames.UndoFrame | frames.RedoFrame) -> None:
        marking, tenant = self.state["marking"], self.identity.tenant
        if isinstance(frame, frames.MarkFrame):
            marked = await sessions.marked(self.state, tenant, self.session, frame)
        else:
            take = marking.undo if isinstance(frame, frames.UndoFrame) else marking.redo
            marked = await take(tenant, self.session, frame.collection)
        self.outbox.put(frames.MarkedFrame(id=frame.id, **msgspec.structs.asdict(marked)))

    def _search_in(self, frame: frames.SearchFrame) -> Search:
        session = self.session
        try:
            search = msgspec.convert({"session": session, **frame.search}, Search)
        except msgspec.ValidationError as error:
            raise from_validation(error, root="search") from error
        except RecursionError as error:
            raise Invalid("this is nested too deeply", field="search") from error
        if search.session != session:
            raise Invalid("a search over a websocket belongs to the socket's session", field="search.session")
        bodies.check_search(search, self.state["settings"], root="search")
        return search

    async def _watch(self, frame: frames.Watch) -> None:
        """Registered first, read then: what happens in between comes as an event, after the snapshot."""
        with self.subscription.holding() as place:
            with self._watching(frame.job, frame.id):
                view = await self._view(frame.job)
                name = frame.id or await self._name_of(frame.job, view.session)
            self._show(view, name, place)

    @contextmanager
    def _watching(self, job: str, name: str | None) -> Iterator[None]:
        """What is read inside can be shown: nothing that comes after it is missed. Raises TooManyRequests."""
        self.subscription.watch(job, name, most=self.state["settings"].max_watches)
        try:
            yield
        except CliplineError:
            self.subscription.unwatch(job)
            raise

    async def _view(self, job: str) -> JobView:
        view = await self.state["results"].get(self.identity.tenant, job)
        if view is None:
            raise JobNotFound(f"no job {job!r}")
        return view

    def _show(self, view: JobView, name: str | None, place: str) -> None:
        """The snapshot stands where the hold began, so that who resumes there misses nothing of what is held."""
        self.subscription.labels[view.id] = name
        if view.state in FINAL:
            self.subscription.remember_end(view.id)
        self.outbox.put(
            Event(offset=place, job=view.id, tenant=view.tenant, state=view.state, at_ms=now_ms(), client_id=name)
        )

    async def _name_of(self, job: str, session: str | None) -> str | None:
        """Names are a session's own: another client's `c1` is not ours."""
        return await self.state["snapshots"].client_id(job) if session == self.session else None

    async def _cancel(self, frame: frames.Cancel) -> None:
        if not self.identity.may_write:
            raise Forbidden(f"the role {self.identity.role!r} may look and search, not change anything")
        await self.state["queue"].cancel(self.identity.tenant, frame.job)

    def _follow(self) -> None:
        if not self.identity.may_operate:
            raise Forbidden(f"the role {self.identity.role!r} does not see workers and queues")
        self.state["pulses"].add(self.outbox)

    def _greet(self, frame: frames.Hello) -> None:
        """A second hello changes nothing; with another key it is not allowed."""
        if auth.identify(self.state["keyring"], frame.key) != self.identity:
            raise Unauthorized("the connection was opened with another key")

    def _refuse(self, name: str | None, job: str | None, error: CliplineError) -> None:
        if isinstance(error, BadRequest):
            raise error
        problem = error.problem()
        if problem.status in TRY_LATER:
            self.state["metrics"].refuse(problem.type)
        logger.info("frame ✗ %d %s: %s", problem.status, problem.type, problem.detail)
        self.outbox.put(frames.Refused(id=name, job=job, error=problem))
