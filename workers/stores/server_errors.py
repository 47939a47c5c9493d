"""What a Qdrant server and the way to it answer, as errors of ours."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from qdrant_client.common.client_exceptions import QdrantException
from qdrant_client.http.exceptions import ApiException, UnexpectedResponse

from shared.errors import CliplineError, CollectionNotFound, Invalid, StoreAway

_BAD_REQUESTS = frozenset({httpx.codes.BAD_REQUEST, httpx.codes.UNPROCESSABLE_ENTITY})


def no_collection(name: str) -> CollectionNotFound:
    return CollectionNotFound(f"no collection {name.partition('.')[2].partition('.')[0]!r}")


@contextmanager
def translated(name: str) -> Iterator[None]:
    """Around calls about the collection `name`, or about none of them."""
    try:
        yield
    except UnexpectedResponse as error:
        raise _of(error, name) from error
    except (ApiException, QdrantException, httpx.HTTPError) as error:
        raise StoreAway(f"the Qdrant server does not answer: {error}"[:300]) from error


def _of(error: UnexpectedResponse, name: str) -> CliplineError:
    detail = error.content.decode(errors="replace")[:300]
    if error.status_code == httpx.codes.NOT_FOUND and name:
        return no_collection(name)
    if error.status_code in _BAD_REQUESTS:
        return Invalid(f"the Qdrant server refused: {detail}")
    return StoreAway(f"the Qdrant server answered {error.status_code}: {detail}")
