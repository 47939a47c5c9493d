"""The requests that the API takes, each as a value; who sends it is another matter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import quote

import msgspec

from client.uploads import Body
from shared.archive import Archive
from shared.errors import CliplineError, CollectionNotFound, JobFinished, SessionNotFound
from shared.filters import Filter
from shared.jobs import CollectionSpec, File, Search
from shared.marks import Marks

JSON = "application/json"
MediaSize = Literal["thumb", "full"]


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `once`: it makes a job, and repeated it must not make a second one.

    `done`: refusals by which a repetition, after an answer that was lost, learns that it had gone through before.
    """

    method: str
    path: str
    params: Mapping[str, Any] = field(default_factory=dict)
    body: Body | None = None
    once: bool = False
    done: type[CliplineError] | None = None


def call(
    method: str,
    path: str,
    *,
    json: Any = None,
    once: bool = False,
    done: type[CliplineError] | None = None,
    **params: Any,
) -> Call:
    """Parameters that are None are left out; moments become ISO 8601."""
    given = {name: msgspec.to_builtins(value) for name, value in params.items() if value is not None}
    body = Body(msgspec.json.encode(json), JSON) if json is not None else None
    return Call(method, path, given, body, once, done)


def wire(search: Search) -> dict[str, Any]:
    """A search as requests and frames have it: its kind goes without saying."""
    return {name: value for name, value in msgspec.to_builtins(search).items() if name != "kind"}


def search(search: Search) -> Call:
    return call("POST", "/v1/search", json=wire(search), once=True)


def upload(collection: str, body: Body, video_step_s: float | None = None) -> Call:
    """The same pictures sent again add nothing, so nothing needs to tell that they are."""
    params = {} if video_step_s is None else {"video_step_s": video_step_s}
    return Call("POST", f"{place(collection)}/items", params, body)


def ingest(
    collection: str, files: Sequence[File] | Sequence[Mapping[str, Any]], video_step_s: float | None = None
) -> Call:
    return call("POST", f"{place(collection)}/items", json={"files": files}, once=True, video_step_s=video_step_s)


def collections() -> Call:
    return call("GET", "/v1/collections")


def collection(name: str) -> Call:
    return call("GET", place(name))


def create_collection(name: str, spec: CollectionSpec) -> Call:
    return call("PUT", place(name), json=spec)


def reindex(name: str, *, leave_out: bool = False, model_name: str | None = None) -> Call:
    to = {} if model_name is None else {"model_name": model_name}
    return call("POST", f"{place(name)}/reindex", json={"leave_out": leave_out, **to}, once=True)


def drop_collection(name: str) -> Call:
    return call("DELETE", place(name), done=CollectionNotFound)


def item(collection: str, item_id: int) -> Call:
    return call("GET", f"{place(collection)}/items/{item_id}")


def neighbours(collection: str, item_id: int, *, before: int, after: int) -> Call:
    return call("GET", f"{place(collection)}/items/{item_id}/neighbours", before=before, after=after)


def facets(collection: str, fields: Sequence[str], *, where: Filter | None, limit: int) -> Call:
    return call("POST", f"{place(collection)}/facets", json={"fields": fields, "filter": where, "limit": limit})


def media(collection: str, item_id: int, size: MediaSize) -> Call:
    return call("GET", f"{place(collection)}/items/{item_id}/media", size=size)


def jobs(**where: Any) -> Call:
    return call("GET", "/v1/jobs", **where)


def job(job_id: str, *, wait_s: float | None = None) -> Call:
    return call("GET", job_path(job_id), wait=wait_s)


def cancel(job_id: str) -> Call:
    """It may have ended by itself just as well: ask how."""
    return call("DELETE", job_path(job_id), done=JobFinished)


def retry(job_id: str) -> Call:
    return call("POST", f"{job_path(job_id)}/retry")


def create_session() -> Call:
    return call("POST", "/v1/sessions")


def sessions(*, before: str | None = None, limit: int | None = None) -> Call:
    return call("GET", "/v1/sessions", before=before, limit=limit)


def drop_session(session_id: str) -> Call:
    return call("DELETE", session_path(session_id), done=SessionNotFound)


def session(session_id: str, *, collection: str | None = None) -> Call:
    return call("GET", session_path(session_id), collection=collection)


def mark(session_id: str, marks: Marks) -> Call:
    return call("POST", f"{session_path(session_id)}/marks", json=marks)


def undo(session_id: str, collection: str) -> Call:
    return call("POST", f"{session_path(session_id)}/undo", json={"collection": collection}, once=True)


def redo(session_id: str, collection: str) -> Call:
    return call("POST", f"{session_path(session_id)}/redo", json={"collection": collection}, once=True)


def export_session(session_id: str) -> Call:
    return call("GET", f"{session_path(session_id)}/export")


def import_session(archive: Archive) -> Call:
    return call("POST", "/v1/sessions/import", json=archive)


def replace_session(session_id: str, archive: Archive) -> Call:
    return call("PUT", session_path(session_id), json=archive)


def join(session_id: str, name: str) -> Call:
    return call("POST", f"{session_path(session_id)}/members", json={"name": name})


def history(session_id: str, *, limit: int) -> Call:
    return call("GET", f"{session_path(session_id)}/history", limit=limit)


def session_path(session_id: str) -> str:
    return f"/v1/sessions/{quote(session_id, safe='')}"


def place(collection: str) -> str:
    return f"/v1/collections/{quote(collection, safe='')}"


def job_path(job_id: str) -> str:
    return f"/v1/jobs/{quote(job_id, safe='')}"
