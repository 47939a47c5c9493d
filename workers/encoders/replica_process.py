"""The processes of a model's replicas: the first loads it and forks the others, so that all share its weights."""

import gc
import logging
import os
import pickle
import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from time import monotonic, sleep
from typing import Any, Literal

import msgspec
import numpy as np
import torch

from shared.settings import Settings
from workers.device_trouble import as_exception
from workers.encoders.assembly import assemble
from workers.encoders.device import choose_device
from workers.encoders.openclip import OpenClipEncoder
from workers.encoders.preprocess import Preprocess
from workers.encoders.protocol import EncoderInfo
from workers.stores.process import die_with_parent, outlive_signals

logger = logging.getLogger(__name__)

# Below what answers searches, as decoders are: nobody minds a batch that takes a moment longer, all a late event loop.
NICENESS = 10
# So long they have to end by themselves.
END_S, LOOK_S = 2.0, 0.01

Kind = Literal["text", "image"]


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker must know of the model that its replicas hold."""

    info: EncoderInfo
    preprocess: Preprocess


class Elsewhere(msgspec.Struct, frozen=True):
    """The model belongs on another device than the CPU, which only the worker's own process can use."""


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a batch, (n, context) ids or (n, height, width, 3) pixels, and how many threads shall compute it."""

    kind: Kind
    rows: np.ndarray[Any, Any]
    threads: int


class Processes:
    """Those of one model, `ends` being the connections to them. Who finds that one has `died` says so."""

    def __init__(self, settings: Settings, count: int, *, others: Sequence[Connection] = ()) -> None:
        """Forks the first. Belongs on the main thread, with whose end they end, before there are more threads.

        `others` lead to another model's, which do not see the worker leave while anybody else holds them.
        """
        self.died = False
        made = [socket.socketpair() for _ in range(count)]
        self.ends, theirs = ([Connection(pair[side].detach()) for pair in made] for side in (0, 1))
        worker = os.getpid()
        self._first = os.fork()
        if not self._first:
            _live(settings, worker, ours=theirs, others=[*self.ends, *others])
        for end in theirs:
            end.close()

    def close(self) -> None:
        """Blocks until they have ended: those that work too long are killed."""
        for end in self.ends:
            end.close()
        ends = monotonic() + END_S
        # The others end with the first.
        while os.waitpid(self._first, os.WNOHANG) == (0, 0):
            if monotonic() > ends:
                os.kill(self._first, signal.SIGKILL)
            sleep(LOOK_S)


def send(end: Connection, what: Any) -> None:
    end.send_bytes(pickle.dumps(what, pickle.HIGHEST_PROTOCOL))


def read(told: bytes) -> Any:
    return pickle.loads(told)  # noqa: S301 - both sides are of one program, and of one user


def sendable(error: Exception) -> Exception:
    """Itself, or what it says, where it holds what cannot be sent or cannot be made again on the other side."""
    try:
        read(pickle.dumps(error))
    except Exception:  # noqa: BLE001 - an error of a library may be made of anything
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _live(settings: Settings, worker: int, *, ours: Sequence[Connection], others: Sequence[Connection]) -> None:
    """Does not return: what the worker's own process would do at its end is not this one's."""
    code = 1
    try:
        for end in others:
            end.close()
        die_with_parent(worker)
        outlive_signals()
        os.nice(NICENESS)
        _load_and_serve(settings, ours)
        code = 0
    except BaseException:
        logger.exception("a replica of the model ends")
    finally:
        os._exit(code)


def _load_and_serve(settings: Settings, ends: Sequence[Connection]) -> None:
    loaded = _loaded(settings)
    if not isinstance(loaded, OpenClipEncoder):
        _answer(ends[0], loaded)
        return
    gc.collect()
    # Collections would write into pages that the replicas share.
    gc.freeze()
    mine = _fork_others(ends)
    for end in ends:
        if end is not mine:
            end.close()
    if mine is ends[0]:
        _answer(mine, Loaded(info=loaded.info, preprocess=loaded.preprocess))
    _serve(loaded, mine)


def _loaded(settings: Settings) -> OpenClipEncoder | Elsewhere | Exception:
    """In one thread, since those of OpenMP do not outlive a fork."""
    try:
        if choose_device(settings).type != "cpu":
            return Elsewhere()
        return assemble(msgspec.structs.replace(settings, device="cpu", threads=1))
    except BaseException as error:  # noqa: BLE001 - the worker raises it
        return as_exception(error)


def _fork_others(ends: Sequence[Connection]) -> Connection:
    """The connection that is this process's, which is the first one or one of those that it forks."""
    first = os.getpid()
    for end in ends[1:]:
        if not os.fork():
            die_with_parent(first)
            return end
    return ends[0]


def _serve(encoder: OpenClipEncoder, end: Connection) -> None:
    """Until the worker is gone."""
    encode: dict[Kind, Callable[[Any], Any]] = {"text": encoder.encode_texts, "image": encoder.encode_images}
    threads = 1
    while True:
        try:
            work: Work = read(end.recv_bytes())
        except (EOFError, ConnectionError):
            return
        if work.threads != threads:
            threads = work.threads
            torch.set_num_threads(threads)
        try:
            answer: Any = encode[work.kind](work.rows)
        except BaseException as error:  # noqa: BLE001 - it belongs to whoever asked
            answer = as_exception(error.with_traceback(None))
        _answer(end, answer)


def _answer(end: Connection, what: Any) -> None:
    """A worker that is gone needs none."""
    with suppress(ConnectionError):
        send(end, sendable(what) if isinstance(what, Exception) else what)
