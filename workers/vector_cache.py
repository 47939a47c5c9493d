"""Vectors of texts that the workers on one Redis share, and who encodes a text right now."""

import hashlib
from collections.abc import Coroutine
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from arq.connections import ArqRedis

from shared import keys, scripts
from shared.connection import redis_errors
from shared.errors import Unavailable
from shared.pipe import Pipe, Script
from shared.settings import Settings
from workers.encoders.protocol import EncoderInfo, Tokens
from workers.stores.chunks import chunks

Vector = npt.NDArray[np.float32]  # (dim,), unit length
# "ours": this worker shall encode it; "theirs": another one does; "unknown": nobody says.
Absent = Literal["ours", "theirs", "unknown"]

NAME_BYTES = 16
# A mark outlives an encoding under load. One whose worker died costs those who ask meanwhile their patience, once.
MARK_MS = 2_000
KEPT_AT_ONCE = 32


class VectorCache:
    """Bounded by count, the oldest first, and by age. A Redis that is away, or full, is a cache that knows nothing."""

    def __init__(self, redis: ArqRedis, settings: Settings, info: EncoderInfo) -> None:
        pipe = Pipe(redis)
        self._ask, self._keep, self._unmark = (
            Script(pipe, scripts.alone(name)) for name in ("ask_vector", "keep_vector", "unmark_vector")
        )
        self._space = info.fingerprint.encode()
        self._bytes = 4 * info.dim
        self._untold: list[tuple[str, Vector]] = []
        self._bounds = (int(settings.cache_s * 1000), settings.cache_vectors)

    def name(self, tokens: Tokens) -> str:
        """Equal where the model sees the same: the ids are all that it gets of a text, and the fingerprint names it."""
        return hashlib.blake2b(self._space + tokens.tobytes(), digest_size=NAME_BYTES).hexdigest()

    async def ask(self, name: str, *, mark: str) -> Vector | Absent:
        """The vector, or who encodes the text; an empty `mark` leaves none."""
        answer = await self._call(self._ask, [keys.vector(name), keys.encoding(name)], [mark, MARK_MS])
        if isinstance(answer, bytes):
            return np.frombuffer(answer, dtype="<f4") if len(answer) == self._bytes else "unknown"
        if answer is None or not mark:
            return "unknown"
        return "ours" if answer else "theirs"

    def keep(self, name: str, vector: Vector) -> Coroutine[Any, Any, None] | None:
        """What tells Redis of it, and of all that are kept before it begins; None where that is on its way."""
        self._untold.append((name, vector))
        return self._tell() if len(self._untold) == 1 else None

    async def _tell(self) -> None:
        """So many in one call that Redis is not held up."""
        told, self._untold = self._untold, []
        for some in chunks(told, KEPT_AT_ONCE):
            names = [key for name, _ in some for key in (keys.vector(name), keys.encoding(name))]
            rows = [part for name, vector in some for part in (name, vector.astype("<f4", copy=False).tobytes())]
            await self._call(self._keep, [keys.VECTORS, *names], [*self._bounds, *rows])

    async def unmark(self, name: str, *, mark: str) -> None:
        await self._call(self._unmark, [keys.encoding(name)], [mark])

    async def _call(self, script: Script, names: list[str], args: list[Any]) -> Any:
        try:
            with redis_errors():
                return await script(keys=names, args=args)
        except Unavailable:
            return None
