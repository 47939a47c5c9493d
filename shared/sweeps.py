"""Cancel, replay or purge every job that passes a filter, a bounded number in one call."""

from collections.abc import Awaitable, Callable

from shared.errors import Conflict, Invalid, JobNotFound, QueueFull
from shared.jobs import FINAL, RETRYABLE, State
from shared.ledger import JobFilter
from shared.queue import Queue
from shared.selection import Sweep, Swept, Verb

PAGE = 100
PAGES = 50
# The cursor before the newest job of all.
START = "999999999999999-~"

DEFAULT: dict[Verb, State] = {"cancel": "queued", "replay": "dead", "purge": "dead"}
ALLOWED: dict[Verb, frozenset[State]] = {
    "cancel": frozenset({"queued", "running"}),
    "replay": RETRYABLE,
    "purge": FINAL,
}


class Sweeps:
    """Acts on the jobs of a tenant, one by one: each is a script of its own, so nothing is half done."""

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self._acts: dict[Verb, Callable[[str, str], Awaitable[object]]] = {
            "cancel": queue.cancel,
            "replay": queue.retry,
            "purge": queue.drop,
        }

    async def run(self, verb: Verb, tenant: str, wanted: Sweep) -> Swept:
        """Raises Invalid for a state that the verb cannot be applied to, QueueAway.

        Replaying stops where the lane is full: `next` then begins with the jobs that had no room.
        """
        state = wanted.state or DEFAULT[verb]
        if state not in ALLOWED[verb]:
            raise Invalid(f"{verb} takes {', '.join(sorted(ALLOWED[verb]))}", field="state")
        where = JobFilter(state=state, kind=wanted.kind, q=wanted.q)
        cursor, done, skipped = wanted.before, 0, 0
        for _ in range(PAGES):
            page = await self.queue.ledger.recent(
                tenant, where=where, before=cursor, limit=min(PAGE, wanted.limit - done - skipped)
            )
            changed, full = await self._act(verb, tenant, [job.id for job in page.jobs])
            done += changed
            if full:
                return Swept(state=state, done=done, skipped=skipped, next=cursor or START)
            skipped += len(page.jobs) - changed
            cursor = page.next
            if cursor is None or done + skipped >= wanted.limit:
                break
        return Swept(state=state, done=done, skipped=skipped, next=cursor)

    async def _act(self, verb: Verb, tenant: str, job_ids: list[str]) -> tuple[int, bool]:
        """How many were changed, and whether a full lane ended it."""
        done = 0
        for job_id in job_ids:
            try:
                await self._acts[verb](tenant, job_id)
                done += 1
            except (Conflict, JobNotFound):
                continue
            except QueueFull:
                return done, True
        return done, False
