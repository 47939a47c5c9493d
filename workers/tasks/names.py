"""How collections and items are called in the store."""

import hashlib
from typing import TYPE_CHECKING, NamedTuple

from shared.errors import ModelMismatch
from shared.jobs import MAX_ID, Collection, Payload
from workers.other_model import OtherModel

if TYPE_CHECKING:
    # Decoders know names as well, and need nothing of what a worker opens.
    from workers.parts import Parts

# Where our own facts about an item live in its payload; clients never see it.
INTERNAL = "_clipline"
SEPARATOR = "."
# What the store keeps with a collection that a reindex has begun: it has not taken its place yet.
DRAFT = "draft"


class Stored(NamedTuple):
    """What a name in the store stands for."""

    tenant: str
    collection: str
    generation: int


def stored_name(tenant: str, collection: Collection) -> str:
    """No part may contain the separator, so no two share a name. What was reindexed has its generation behind it."""
    return written_name(Stored(tenant, collection.name, collection.generation))


def written_name(stored: Stored) -> str:
    name = f"{stored.tenant}{SEPARATOR}{stored.collection}"
    return f"{name}{SEPARATOR}{stored.generation}" if stored.generation else name


def read_name(stored: str) -> Stored:
    tenant, collection, *generation = stored.split(SEPARATOR)
    return Stored(tenant, collection, int(generation[0]) if generation else 0)


def item_id(source: str, probe: int = 0) -> int:
    """An id that stays the same for a source: 53 bits of BLAKE2b, so that JavaScript reads it exactly.

    Two sources may share one (about 1 in 18,000 for a million items); `probe` counts the sources found in the way.
    """
    digest = hashlib.blake2b(f"{probe}\0{source}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) & MAX_ID


def value_at(payload: Payload | None, path: str) -> object:
    """What stands at a dotted path of objects; None when nothing does."""
    value: object = payload
    for name in path.split("."):
        value = value.get(name.strip('"')) if isinstance(value, dict) else None
    return value


def frame_source(video: str, position: int) -> str:
    """What the items of a video are known by."""
    return f"{video}#{position}"


def public(payload: Payload | None) -> Payload | None:
    """The payload without our own part."""
    return None if payload is None else {key: value for key, value in payload.items() if key != INTERNAL}


def require_name(wanted: str, collection: str, parts: "Parts") -> None:
    """Raises OtherModel when a job came to another model than it is for, ModelMismatch when the fleet has no such."""
    if wanted == parts.model_name:
        return
    if wanted not in parts.settings.model_names:
        raise ModelMismatch(f"the fleet has no model {wanted!r}, which {collection!r} is to have", field="collection")
    raise OtherModel(f"{collection!r} is for the model {wanted!r}, this is {parts.model_name!r}", model_name=wanted)


def require_model(collection: Collection, parts: "Parts") -> None:
    """Raises OtherModel when the collection has another of the fleet's models, ModelMismatch when its vectors come from
    another encoder than the one that has the name now.
    """
    info = parts.encoder.info
    if collection.model_name in parts.settings.model_names:
        require_name(collection.model_name, collection.name, parts)
    if collection.model is not None and collection.model != info.fingerprint:
        raise ModelMismatch(
            f"collection {collection.name!r} was made with {collection.model}, this worker has {info.fingerprint} "
            f"({info.model}); run `clipline collections reindex {collection.name}` to encode its pictures with that, "
            "or a worker with the old model",
            field="collection",
        )
