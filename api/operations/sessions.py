"""Sessions and what they hold."""

from api import params
from api.operations.operation import (
    BODY,
    IDEMPOTENT,
    JSON,
    OF_SESSION,
    READING,
    Operation,
)
from api.sessions import NewSession
from shared import errors
from shared.archive import Archive
from shared.history import SessionHistory
from shared.marks import Joining, Marked, Marks, Seat, SessionView, Step
from shared.session_list import SessionPage

SESSIONS: tuple[Operation, ...] = (
    Operation(
        method="get",
        path="/v1/sessions",
        summary="The tenant's sessions, newest first",
        tag="sessions",
        params=params.SessionsParams,
        answers={200: SessionPage},
        errors=READING,
    ),
    Operation(
        method="post",
        path="/v1/sessions",
        summary="A session for clients without a websocket",
        tag="sessions",
        answers={201: NewSession},
        errors=(*READING, errors.TooManySessions),
    ),
    Operation(
        method="get",
        path="/v1/sessions/{session}",
        summary="A session; with `collection`, what it holds there",
        tag="sessions",
        params=params.SessionParams,
        answers={200: SessionView},
        errors=OF_SESSION,
    ),
    Operation(
        method="put",
        path="/v1/sessions/{session}",
        summary="Let a session hold what a document says, in the collections that it names",
        tag="sessions",
        body={JSON: Archive},
        answers={200: SessionView},
        errors=(*OF_SESSION, *BODY, errors.CollectionNotFound, errors.SessionFull),
    ),
    Operation(
        method="delete",
        path="/v1/sessions/{session}",
        summary="End a session with all that it holds; of a team's session its members' own too",
        tag="sessions",
        answers={204: None},
        errors=OF_SESSION,
    ),
    Operation(
        method="get",
        path="/v1/sessions/{session}/export",
        summary="Everything that a session holds, as one document",
        tag="sessions",
        answers={200: Archive},
        errors=OF_SESSION,
    ),
    Operation(
        method="post",
        path="/v1/sessions/import",
        summary="A new session that holds what such a document says",
        tag="sessions",
        body={JSON: Archive},
        answers={201: NewSession},
        errors=(*READING, *BODY, errors.CollectionNotFound, errors.SessionFull, errors.TooManySessions),
    ),
    Operation(
        method="post",
        path="/v1/sessions/{session}/members",
        summary="Join a session as a member of its team: a session of one's own that shares its marks",
        tag="sessions",
        body={JSON: Joining},
        answers={201: Seat, 200: Seat},
        errors=(*OF_SESSION, *BODY, errors.SessionFull, errors.TooManySessions),
    ),
    Operation(
        method="get",
        path="/v1/sessions/{session}/history",
        summary="What a session asked, newest first",
        tag="sessions",
        params=params.HistoryParams,
        answers={200: SessionHistory},
        errors=OF_SESSION,
    ),
    Operation(
        method="post",
        path="/v1/sessions/{session}/marks",
        summary="Change what a session holds: seen, excluded, positive and negative items, excluded groups",
        tag="sessions",
        body={JSON: Marks},
        answers={200: Marked},
        errors=(*OF_SESSION, *BODY, errors.CollectionNotFound, errors.SessionFull),
    ),
    *(
        Operation(
            method="post",
            path=f"/v1/sessions/{{session}}/{verb}",
            summary=summary,
            tag="sessions",
            body={JSON: Step},
            answers={200: Marked},
            errors=(*OF_SESSION, *BODY, errors.NothingToUndo, errors.SessionFull),
            headers=IDEMPOTENT,
        )
        for verb, summary in (
            ("undo", "Take back the last change of what a session holds"),
            ("redo", "Do again what was taken back last"),
        )
    ),
)
