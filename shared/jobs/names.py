"""States, kinds and lanes, and the names and numbers that requests are made of."""

from typing import Annotated, Any, Literal, get_args

import msgspec

MAX_ID = 2**53 - 1  # the largest integer that JavaScript reads exactly

State = Literal["queued", "running", "succeeded", "failed", "cancelled", "superseded", "expired", "dead"]
Kind = Literal["search", "ingest", "collection", "items", "facets", "neighbours", "reindex"]
Lane = Literal["interactive", "bulk"]
# How a vector store finds neighbours: by its graph, by more of it without the excluded, or past every vector.
PlanName = Literal["graph", "graph+drop", "graph+acorn", "scan", "scan+drop", "exact"]
STATES: tuple[State, ...] = get_args(State)
KINDS: tuple[Kind, ...] = get_args(Kind)
LANES: tuple[Lane, ...] = get_args(Lane)
FINAL: frozenset[State] = frozenset({"succeeded", "failed", "cancelled", "superseded", "expired", "dead"})
RETRYABLE: frozenset[State] = FINAL - {"succeeded"}

ItemId = Annotated[int, msgspec.Meta(ge=0, le=MAX_ID)]
# `(?!\n)`: in Python `$` alone also matches before a newline that ends the text.
Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}(?!\n)$", description="letters, digits, _ and -")]
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=1_000)]
Token = Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9._:-]+(?!\n)$")]
GroupKey = str | int
Feedback = Literal["rocchio", "recommend", "classifier"]
NEEDS_POSITIVE = ("recommend", "classifier")
FieldName = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
FacetFields = Annotated[list[FieldName], msgspec.Meta(min_length=1, max_length=16)]
FacetLimit = Annotated[int, msgspec.Meta(ge=1, le=1_000)]
Around = Annotated[int, msgspec.Meta(ge=0, le=100)]
# Where an item stands in its group, unless its collection says otherwise; and what can be ordered at all.
DEFAULT_ORDER = "position"
ORDERED = ("integer", "float", "datetime")
# Types whose values an index can count.
COUNTED = ("keyword", "integer", "bool")
# The slot of searches that name none, as far as a session remembers their last query.
MAIN_SLOT = "main"
Payload = dict[str, Any]
