"""Clipline's client for Python: searches over a websocket that resumes, everything else over HTTP.

from client import Clipline

with Clipline("http://127.0.0.1:8000") as clipline:
    for hit in clipline.search("pictograms", "a happy cat", limit=5).hits or []:
        print(hit.score, hit.source)
"""

from client.aio import AsyncClipline
from client.blocking import Clipline
from client.frames import JobEvent, JobFrame, JobResult, SessionChanged
from client.problems import Closed, NoAnswer, Unreachable
from client.uploads import Upload
from shared.archive import Archive
from shared.errors import CliplineError, Problem, Superseded, TooManyRequests, Unauthorized, Unavailable
from shared.filters import Condition, Filter, GeoBox, GeoPoint, GeoRadius, Nested, Range, TextMatch
from shared.jobs import (
    Collection,
    CollectionSpec,
    Exclude,
    Facet,
    FacetValue,
    File,
    Group,
    Hit,
    IngestResult,
    Item,
    JobView,
    NeighboursResult,
    Query,
    SearchResult,
    Then,
)
from shared.marks import GroupChange, IdChange, MarkChange, Marked, Marks
from shared.session_changes import SetChange

__all__ = [
    "Archive",
    "AsyncClipline",
    "Clipline",
    "CliplineError",
    "Closed",
    "Collection",
    "CollectionSpec",
    "Condition",
    "Exclude",
    "Facet",
    "FacetValue",
    "File",
    "Filter",
    "GeoBox",
    "GeoPoint",
    "GeoRadius",
    "Group",
    "GroupChange",
    "Hit",
    "IdChange",
    "IngestResult",
    "Item",
    "JobEvent",
    "JobFrame",
    "JobResult",
    "JobView",
    "MarkChange",
    "Marked",
    "Marks",
    "NeighboursResult",
    "Nested",
    "NoAnswer",
    "Problem",
    "Query",
    "Range",
    "SearchResult",
    "SessionChanged",
    "SetChange",
    "Superseded",
    "TextMatch",
    "Then",
    "TooManyRequests",
    "Unauthorized",
    "Unavailable",
    "Unreachable",
    "Upload",
]
