"""Renews the leases of running jobs from a thread with a connection of its own.

A busy event loop must not cost a worker its jobs, so renewal does not depend on it.
"""

import logging
import threading
from collections.abc import Callable, Iterable
from time import monotonic

from redis import Redis
from redis.commands.core import Script

from shared import scripts
from shared.connection import AWAY, CONNECT_TIMEOUT_S
from workers.outcome import Running

logger = logging.getLogger(__name__)

RENEWALS_PER_LEASE = 3


class LeaseKeeper:
    """Calls `stop(job_id, why)` from its thread for a job that is lost or that somebody wants stopped."""

    def __init__(
        self,
        redis_url: str,
        *,
        worker_id: str,
        lease_s: float,
        running: Callable[[], Iterable[Running]],
        stop: Callable[[str, str], None],
    ) -> None:
        self.worker_id = worker_id
        self.lease_s = lease_s
        self._running = running
        self._stop = stop
        # One renewal may take no longer than the pause between two.
        pause_s = lease_s / RENEWALS_PER_LEASE
        self._redis = Redis.from_url(
            redis_url, socket_timeout=pause_s, socket_connect_timeout=min(pause_s, CONNECT_TIMEOUT_S)
        )
        self._renew: Script = self._redis.register_script(scripts.source("renew"))
        self._leave = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="leases", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._leave.set()
        self._thread.join(timeout=self.lease_s)
        self._redis.close()

    def _loop(self) -> None:
        while not self._leave.wait(self.lease_s / RENEWALS_PER_LEASE):
            try:
                self.renew_once()
            except AWAY as error:
                logger.warning("leases not renewed, Redis does not answer: %s", error)

    def renew_once(self) -> None:
        """Renew what runs within its time; a job past its timeout is left to lapse."""
        now = monotonic()
        ids = [one.job_id for one in list(self._running()) if one.deadline > now]
        if not ids:
            return
        answers = self._renew(keys=[], args=[self.worker_id, int(self.lease_s * 1000), *ids])
        for job_id, answer in zip(ids, answers, strict=True):
            if answer != b"ok":
                self._stop(job_id, answer.decode())
