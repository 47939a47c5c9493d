"""Making a collection on a Qdrant server."""

from collections.abc import Mapping

import httpx
from qdrant_client import AsyncQdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

from shared.errors import StoreAway
from shared.payload_path import path_of
from workers.stores.server_dialect import INDEX_TYPES

MIN_VERSION = (1, 16)
# From here on a server turns vectors before it rounds their numbers to 8 bits, which keeps the order deep in a
# ranking.
QUANTIZES_FROM = (1, 20)
QUANTIZED = models.TurboQuantization(turbo=models.TurboQuantQuantizationConfig(bits=models.TurboQuantBitSize.BITS8))


async def create_collection(
    client: AsyncQdrantClient, name: str, *, dim: int, metadata: dict[str, str], quantize: bool
) -> None:
    """Unless there is one. Raises StoreAway for a server that is too old."""
    version = await _checked_version(client)
    if await client.collection_exists(name):
        return
    copy = QUANTIZED if quantize and version >= QUANTIZES_FROM else None
    params = models.VectorParams(size=dim, distance=models.Distance.COSINE)
    try:
        await client.create_collection(name, vectors_config=params, quantization_config=copy, metadata=metadata)
    except UnexpectedResponse as error:
        if error.status_code != httpx.codes.CONFLICT:
            raise


async def _checked_version(client: AsyncQdrantClient) -> tuple[int, ...]:
    version = (await client.info()).version
    numbers = tuple(int(part) for part in version.split("-")[0].split(".")[:2])
    if numbers < MIN_VERSION:
        raise StoreAway(f"the Qdrant server is {version}; {'.'.join(map(str, MIN_VERSION))} or newer is needed")
    return numbers


async def create_indexes(client: AsyncQdrantClient, name: str, indexes: Mapping[str, str]) -> None:
    """Of payload fields, by the type of their values."""
    for field, type_ in indexes.items():
        await client.create_payload_index(name, path_of(field), field_schema=INDEX_TYPES[type_], wait=True)
