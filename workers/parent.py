"""Runs each worker as the fork of a process that has imported everything, and another one when it is killed.

What kills a worker, a crash in a library or the kernel for want of memory, leaves its parent alone. So its jobs are due
again at once, and the next worker does not spend most of its start on importing torch and open_clip.
"""

import ctypes
import gc
import importlib
import logging
import os
import signal
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import monotonic

from shared.settings import Settings
from workers.burial import bury
from workers.legacy import NOTHING, Bequeath, Legacy, Testament
from workers.stores.process import die_with_parent

logger = logging.getLogger(__name__)

# Asked of the parent, done by the worker.
FORWARDED = frozenset({signal.SIGTERM, signal.SIGINT})
WAITED_FOR = FORWARDED | {signal.SIGCHLD}
# So many deaths within that time are for a supervisor, which makes pauses.
DEATHS, DEATHS_WITHIN_S = 4, 60.0
# What a dead worker had started was killed with it, and is waited for so long, as it holds locks.
REST_S = 5.0
PR_SET_CHILD_SUBREAPER = 36  # prctl(2)
# Opened by drivers that do not survive a fork.
DEVICES = ("/dev/nvidia", "/dev/kfd", "/dev/dri/")

# A worker's life: what the one before it left, and how to leave something in turn. Returns an exit code.
Serve = Callable[[Legacy, Bequeath], int]


def run(settings: Settings, serve: Serve) -> int:
    """Returns the exit code: in this process as its last worker's, and in every worker. Dies of what that died of."""
    _import_all(settings)
    if has_open(DEVICES):
        logger.warning("a library has opened a device: this worker has no parent, a killed one starts slowly")
        return serve(NOTHING, lambda _: None)
    gc.collect()
    # Collections would write into pages that parent and worker share.
    gc.freeze()
    return Parent(settings, serve).run()


class Parent:
    """Has one worker at a time, and does nothing but wait for it and pass on what it is told."""

    def __init__(self, settings: Settings, serve: Serve) -> None:
        self._settings = settings
        self._serve = serve
        self._stopping = False
        self._deaths: deque[float] = deque(maxlen=DEATHS)

    def run(self) -> int:
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1)
        signal.pthread_sigmask(signal.SIG_BLOCK, WAITED_FOR)
        before, parent = NOTHING, os.getpid()
        while True:
            testament = Testament()
            worker = os.fork()
            if not worker:
                _become_worker(parent)
                return self._serve(before, testament.write)
            code = self._outlive(worker)
            left = testament.read()
            testament.close()
            if code < 0 and left is not None:
                bury(self._settings, left.worker_id)
                before = left
            if not self._goes_on(code):
                return _end_as(code)
            logger.warning("the worker was killed by %s; another one starts", signal.Signals(-code).name)

    def _outlive(self, worker: int) -> int:
        """The worker's exit code, negative for a signal, when it and what it started are gone."""
        while True:
            number = signal.sigwait(WAITED_FOR)
            if number in FORWARDED:
                self._stopping = True
                os.kill(worker, number)
            elif (code := _reap(worker)) is not None:
                _await_rest()
                return code

    def _goes_on(self, code: int) -> bool:
        """Whether it died of what another one may be spared."""
        if code >= 0 or self._stopping:
            return False
        self._deaths.append(monotonic())
        return len(self._deaths) < DEATHS or self._deaths[-1] - self._deaths[0] > DEATHS_WITHIN_S


def _import_all(settings: Settings) -> None:
    """What a worker imports when it is needed, and nothing that starts a thread or opens a device."""
    importlib.import_module("workers.encoders.replicas")
    importlib.import_module(
        "workers.stores.qdrant_edge" if settings.store == "edge" else "workers.stores.qdrant_server"
    )


def has_open(paths: tuple[str, ...]) -> bool:
    """Whether this process has a file open whose path begins so."""
    for descriptor in Path("/proc/self/fd").iterdir():
        # The one that lists them is gone by now.
        with suppress(OSError):
            if str(descriptor.readlink()).startswith(paths):
                return True
    return False


def _become_worker(parent: int) -> None:
    # A group of its own, by which all that it starts can be killed. Ctrl-C reaches it through the parent.
    os.setpgid(0, 0)
    die_with_parent(parent)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, WAITED_FOR)


def _reap(worker: int) -> int | None:
    """Meet all children that have ended; the worker's exit code if it is among them."""
    code = None
    with suppress(ChildProcessError):
        while (ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
            if ended.si_pid == worker:
                # Before it is met: until then nobody else can have the number of its group.
                with suppress(ProcessLookupError):
                    os.killpg(worker, signal.SIGKILL)
            _, status = os.waitpid(ended.si_pid, 0)
            if ended.si_pid == worker:
                code = os.waitstatus_to_exitcode(status)
    return code


def _await_rest() -> None:
    """Orphans are this process's children, as it is their reaper."""
    ends = monotonic() + REST_S
    while (left_s := ends - monotonic()) > 0:
        try:
            met, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not met:
            signal.sigtimedwait({signal.SIGCHLD}, left_s)
    logger.warning("something that the worker had started is still there")


def _end_as(code: int) -> int:
    """End by the same signal, so that a supervisor sees what happened."""
    if code >= 0:
        return code
    number = -code
    if number != signal.SIGKILL:
        signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    os.kill(os.getpid(), number)
    # The first process of a container is spared by its own signals.
    return 128 + number
