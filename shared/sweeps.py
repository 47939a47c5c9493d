"""Cancel, replay or purge every job that passes a filter, a bounded number in one call."""

from collections.abc import Awaitable, Callable

from shared.errors import Conflict, Invalid, JobNotFound, QueueFull
from shared.job_filter import filter_of
from shared.jobs import FINAL, RETRYABLE, State
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

    async def run(self, verb: Verb, tenant: str, wanted: Sweep, *, by_words: bool = True) -> Swept:
        """Raises Invalid for a state that the verb cannot be applied to, QueueAway. `by_words`: as in a JobFilter.

        Replaying stops where the lane is full: `next` then begins with the jobs that had no room.
        """
        state = wanted.state or DEFAULT[verb]
        if state not in ALLOWED[verb]:
            raise Invalid(f"{verb} takes {', '.join(sorted(ALLOWED[verb]))}", field="state")
        if wanted.ids is not None:
            return await self._chosen(verb, tenant, wanted.ids, state)
        where = filter_of(wanted, state=state, by_words=by_words)
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

    async def _chosen(self, verb: Verb, tenant: str, job_ids: list[str], state: State) -> Swept:
        """What the verb cannot be applied to is skipped, and so is the rest when a lane is full."""
        done, _ = await self._act(verb, tenant, list(dict.fromkeys(job_ids)))
        return Swept(state=state, done=done, skipped=len(set(job_ids)) - done)

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
