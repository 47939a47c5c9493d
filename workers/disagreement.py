"""Notices workers that hold other weights under the same name: their jobs then fail here or there, as it happens."""

import logging

from shared.errors import Unavailable
from shared.fleet import Fleet
from workers.parts import Parts

logger = logging.getLogger(__name__)


async def tell_of_others(parts: Parts) -> None:
    """A line in the log for each model of which a live worker has another version; none while Redis is away."""
    try:
        live = await Fleet(parts.redis).live()
    except Unavailable:
        return
    others = {(held.name, held.fingerprint): one.id for one in live for held in one.models}
    for (name, fingerprint), worker in others.items():
        ours = parts.models.get(name)
        if ours is not None and ours.encoder.info.fingerprint != fingerprint:
            logger.warning(
                "model %r is %s here and %s at worker %s: each refuses the other's collections (model-mismatch), "
                "until one of them is gone",
                name,
                ours.encoder.info.fingerprint,
                fingerprint,
                worker,
            )
