"""What a search for "this, then that" needs of its collection."""

from shared.errors import Invalid
from shared.jobs import Collection, Search

# Payload fields with an item's time in its group, in seconds; without an end, an item has no length.
START = "start_s"
END = "end_s"


def group_field_of(search: Search, collection: Collection, *, field: str = "then") -> str:
    """The field within whose groups the steps follow one another. Raises Invalid, naming `field`, without one."""
    name = search.group_by or collection.group_field
    if name is None:
        raise Invalid(f"collection {collection.name!r} has no group_field; name one in `group_by`", field=field)
    return name


def text_of(search: Search) -> str:
    """The words of all steps, for people."""
    return " → ".join(words for query in search.queries if (words := query.words))
