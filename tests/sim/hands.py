"""Workers reduced to their hands: they claim, end and hand back, when the simulation says so."""

import msgspec
from arq.connections import ArqRedis

from shared import wire
from shared.errors import BadPicture, Problem
from shared.jobs import Lane
from shared.pipe import Pipe
from shared.settings import Settings
from workers.claiming import Claims
from workers.execution import Ended
from workers.finishing import Finishing
from workers.outcome import Running

FAILURE = BadPicture("not a picture").problem()


class Hands:
    """One worker without a loop of its own. `lease_s` of a frozen one is over before it can do anything."""

    def __init__(self, redis: ArqRedis, settings: Settings, *, name: str, lease_s: float) -> None:
        own = msgspec.structs.replace(settings, lease_s=lease_s)
        self.name = name
        pipe = Pipe(redis)
        self._claims = Claims(pipe, own, worker_id=name)
        self._finishing = Finishing(pipe, own, worker_id=name)

    async def claim(self, free: dict[Lane, int]) -> list[Running]:
        return (await self._claims.take({str(lane): count for lane, count in free.items()})).jobs

    async def succeed(self, running: Running) -> None:
        await self._finishing.end(running, Ended(envelope=wire.encode({"s": True, "r": {"by": self.name}})))

    async def fail(self, running: Running, problem: Problem = FAILURE) -> None:
        envelope = wire.encode({"s": False, "r": msgspec.to_builtins(problem)})
        await self._finishing.end(running, Ended(envelope=envelope, problem=problem))

    async def hand_back(self, running: Running, *, delay_s: float, counted: bool) -> None:
        await self._finishing.hand_back(running, delay_s=delay_s, counted=counted)
