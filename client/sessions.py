"""What `AsyncClipline` does with sessions: what they hold, who shares it, what they asked."""

from collections.abc import AsyncIterator

from client import calls
from client.answers import NewSession
from client.frames import SessionChanged
from client.http import Http
from client.live import Live
from shared.archive import Archive
from shared.history import PastSearch, SessionHistory
from shared.marks import Marked, Marks, Seat, SessionView
from shared.session_list import SessionPage


class Sessions:
    """The part of `AsyncClipline` that is about sessions."""

    http: Http
    live: Live

    @property
    def session(self) -> str | None:
        """The session of the searches, known once the first one was asked; others are made by `create_session`."""
        return self.live.session

    async def create_session(self) -> str:
        return (await self.http.read(calls.create_session(), NewSession)).session

    async def sessions(self, *, before: str | None = None, limit: int = 50) -> SessionPage:
        """The tenant's, newest first; `before` is an earlier page's `next`."""
        return await self.http.read(calls.sessions(before=before, limit=limit), SessionPage)

    async def drop_session(self, session: str) -> None:
        """End it with all that it holds; of a team's session its members' own too."""
        await self.http.send(calls.drop_session(session))

    async def session_view(self, session: str, collection: str | None = None) -> SessionView:
        """With a collection, also the sets that the session holds there."""
        return await self.http.read(calls.session(session, collection=collection), SessionView)

    async def mark(self, session: str, marks: Marks) -> Marked:
        """Change what a session holds; what is there already, or not there, changes nothing."""
        return await self.http.read(calls.mark(session, marks), Marked)

    async def undo(self, session: str, collection: str) -> Marked:
        """Take the last change back. Raises NothingToUndo."""
        return await self.http.read(calls.undo(session, collection), Marked)

    async def redo(self, session: str, collection: str) -> Marked:
        """Do again what was taken back last. Raises NothingToUndo."""
        return await self.http.read(calls.redo(session, collection), Marked)

    async def join(self, session: str, name: str) -> Seat:
        """A session of a member's own, which shares its marks with the team's."""
        return await self.http.read(calls.join(session, name), Seat)

    def changes(self) -> AsyncIterator[SessionChanged | None]:
        """What becomes of the marks of `session`, also through others of its team.

        None, which comes first, says that `session` is known and is to be read: what happened before is not told.
        """
        return self.live.changes()

    async def export_session(self, session: str) -> Archive:
        """Everything that a session holds."""
        return await self.http.read(calls.export_session(session), Archive)

    async def import_session(self, archive: Archive, session: str | None = None) -> str:
        """Into a new session, whose id comes back, or into one that there is: in the collections that the document
        names it then holds what the document says.
        """
        if session is None:
            return (await self.http.read(calls.import_session(archive), NewSession)).session
        return (await self.http.read(calls.replace_session(session, archive), SessionView)).session

    async def history(self, session: str, *, limit: int = 50) -> list[PastSearch]:
        """What a session asked, newest first."""
        return (await self.http.read(calls.history(session, limit=limit), SessionHistory)).history
