"""Renews the leases of running jobs from a thread with a connection of its own.

A busy event loop must not cost a worker its jobs, so renewal does not depend on it. One that does not turn at all for
`hang_s` does: the worker is taken for hung, its leases lapse, and its jobs run elsewhere.
"""

import logging
import threading
from collections.abc import Callable, Iterable
from time import monotonic

from redis.commands.core import Script

from shared import scripts, sentinel
from shared.connection import redis_errors, thread_client
from shared.errors import Unavailable
from shared.settings import Settings
from workers.outcome import Running

logger = logging.getLogger(__name__)

RENEWALS_PER_LEASE = 3
# What renew.lua answers when another worker took the job, or ended it.
LOST = "lost"


class LeaseKeeper:
    """Calls `stop(job_id, why)` from its thread for a job that is lost or that somebody wants stopped.

    `ask_loop` schedules a call on the event loop from that thread.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        worker_id: str,
        running: Callable[[], Iterable[Running]],
        stop: Callable[[str, str], None],
        ask_loop: Callable[[Callable[[], None]], None],
    ) -> None:
        self.worker_id = worker_id
        self.lease_s = settings.lease_s
        self.hang_s = settings.hang_s
        self._running = running
        self._stop = stop
        self._ask_loop = ask_loop
        self._answered = monotonic()
        self._hung = False
        # One renewal may take no longer than the pause between two.
        self._pause_s = self.lease_s / RENEWALS_PER_LEASE
        self._redis = thread_client(settings.redis_url, timeout_s=self._pause_s)
        self._renew: Script = self._redis.register_script(scripts.source("renew", settings))
        self._leave = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="leases", daemon=True)

    def start(self) -> None:
        self._answered = monotonic()
        self._thread.start()

    def close(self) -> None:
        self._leave.set()
        self._thread.join(timeout=self.lease_s)
        sentinel.close_sync(self._redis)

    def _loop(self) -> None:
        while not self._leave.wait(self._pause_s):
            if self._loop_turns():
                try:
                    with redis_errors():
                        self.renew_once()
                except Unavailable as error:
                    logger.warning("leases not renewed: %s", error)

    def _loop_turns(self) -> bool:
        """Whether the event loop answered within `hang_s`; asks it again."""
        hung = monotonic() - self._answered > self.hang_s
        if hung != self._hung:
            logger.error("the event loop %s", "hangs, leases are left to lapse" if hung else "turns again")
        self._hung = hung
        self._ask_loop(self._pong)
        return not hung

    def _pong(self) -> None:
        self._answered = monotonic()

    def renew_once(self) -> None:
        """Renew what runs within its time; a job past its timeout is left to lapse."""
        now = monotonic()
        jobs = [one for one in list(self._running()) if one.deadline > now]
        if not jobs:
            return
        pairs = [part for one in jobs for part in (one.job_id, one.lane)]
        answers = self._renew(keys=[], args=[self.worker_id, int(self.lease_s * 1000), *pairs])
        for one, answer in zip(jobs, answers, strict=True):
            if answer != b"ok":
                self._stop(one.job_id, answer.decode())
