"""Opens the store that the settings name, importing its libraries alone."""

import logging
from urllib.parse import urlsplit

from shared.settings import PREFIX, Settings, SettingsError
from workers.stores.protocol import VectorStore

logger = logging.getLogger(__name__)


async def open_store(settings: Settings) -> VectorStore:
    """The embedded store for `edge`, a Qdrant server for a URL. Raises SettingsError for anything else.

    A store that is away does not keep this from returning: calls raise StoreAway until it is back.
    """
    if settings.store == "edge":
        return await _edge(settings)
    url = urlsplit(settings.store)
    if url.scheme not in {"http", "https"} or not url.hostname:
        raise SettingsError(f"{PREFIX}STORE={settings.store!r}: neither 'edge' nor a URL of a Qdrant server")
    return _server(settings)


async def _edge(settings: Settings) -> VectorStore:
    from workers.stores.qdrant_edge import QdrantEdgeStore

    store = QdrantEdgeStore(settings)
    await store.start()
    logger.info("store edge ← %s", settings.store_path)
    return store


def _server(settings: Settings) -> VectorStore:
    from workers.stores.qdrant_server import QdrantServerStore, connect

    logger.info("store server ← %s", urlsplit(settings.store).hostname)
    return QdrantServerStore(connect(settings.store, api_key=settings.store_api_key), quantize=settings.quantize)
