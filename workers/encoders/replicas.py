"""A model on a CPU as replicas that compute side by side, each a process with one thread, or few, of its own.

Threads that share a batch meet after every product, 150 times in a text tower: one that has to give its CPU away keeps
the others waiting, and API, Redis and store take a third of two CPUs. Replicas take no turns at the interpreter of the
worker's event loop either, and meet nowhere where each has batches of its own (bench/RESULTS.md).
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import torch

from shared.settings import Settings
from workers.encoders import models
from workers.encoders.load import load_encoder
from workers.encoders.protocol import Encoder, Matrix, Pixels, Replica, Tokens
from workers.encoders.replica_process import Elsewhere, Kind, Loaded, Processes, Work, read, send
from workers.encoders.tokens import Texts
from workers.executors import computing_threads, threads_alone

logger = logging.getLogger(__name__)

# One has nothing to be beside.
FEWEST = 2


class ReplicaDied(Exception):
    """A process that computes is gone: it was killed, or has crashed."""


class _InProcesses(ABC):
    """An encoder whose model is in other processes."""

    def __init__(self, processes: Processes, loaded: Loaded, texts: Texts) -> None:
        self.info, self.preprocess = loaded.info, loaded.preprocess
        self._processes, self._texts = processes, texts

    def tokenize(self, text: str) -> tuple[Tokens, bool]:
        return self._texts.tokenize(text)

    def memory_bytes(self) -> dict[str, int]:
        return {}

    def encode_texts(self, tokens: Sequence[Tokens]) -> Matrix:
        return self._encode("text", tokens)

    def encode_images(self, images: Sequence[Pixels]) -> Matrix:
        return self._encode("image", images)

    @abstractmethod
    def _encode(self, kind: Kind, rows: Sequence[np.ndarray[Any, Any]]) -> Matrix:
        """Raises what a replica raised, and ReplicaDied for one that cannot."""

    @contextmanager
    def _noticing(self) -> Iterator[None]:
        try:
            yield
        except (EOFError, ConnectionError) as error:
            self._processes.died = True
            raise ReplicaDied("a process that computes was killed, or has crashed") from error


class OneReplica(_InProcesses):
    """One of them, with `threads`; belongs to one thread at a time, while nobody uses all together."""

    def __init__(self, end: Connection, processes: Processes, loaded: Loaded, texts: Texts) -> None:
        super().__init__(processes, loaded, texts)
        self._end, self.threads = end, 1

    def _encode(self, kind: Kind, rows: Sequence[np.ndarray[Any, Any]]) -> Matrix:
        work = Work(kind=kind, rows=np.stack(rows), threads=self.threads)
        with self._noticing():
            send(self._end, work)
            told = self._end.recv_bytes()
        answer: Matrix | Exception = read(told)
        if isinstance(answer, Exception):
            raise answer
        return answer


class Replicas(_InProcesses):
    """All together, a batch in as many parts; belongs to one thread at a time. Each by itself are `replicas`."""

    def __init__(self, processes: Processes, loaded: Loaded, texts: Texts) -> None:
        super().__init__(processes, loaded, texts)
        self._ends = processes.ends
        self.replicas: Sequence[Replica] = [OneReplica(end, processes, loaded, texts) for end in self._ends]

    def _encode(self, kind: Kind, rows: Sequence[np.ndarray[Any, Any]]) -> Matrix:
        """Waits for all answers, whatever one is."""
        count = min(len(rows), len(self._ends))
        used, threads = self._ends[:count], threads_alone(kind, len(self._ends), count)
        cuts = pairwise(len(rows) * part // count for part in range(count + 1))
        # All are made before one is sent, and all answers are read before one is looked at: whatever fails, none is
        # left over for the next batch.
        works = [Work(kind=kind, rows=np.stack(rows[start:stop]), threads=threads) for start, stop in cuts]
        with self._noticing():
            for end, work in zip(used, works, strict=True):
                send(end, work)
            told = [end.recv_bytes() for end in used]
        answers = [read(one) for one in told]
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return np.concatenate(answers)


class Replicated:
    """The processes of all models that a worker holds; `load` takes the place of `load_encoder`."""

    def __init__(self, settings: Settings, count: int) -> None:
        """Belongs on the main thread, before there are others."""
        self._processes: list[tuple[Settings, Processes]] = []
        for name in settings.held_models:
            others = [end for _, processes in self._processes for end in processes.ends]
            of_model = settings.of_model(name)
            self._processes.append((of_model, Processes(of_model, count, others=others)))

    def load(self, settings: Settings) -> Encoder:
        """Waits until it is loaded. Raises what `load_encoder` does, and ReplicaDied."""
        processes = next(processes for one, processes in self._processes if one == settings)
        try:
            told = read(processes.ends[0].recv_bytes())
        except (EOFError, ConnectionError) as error:
            processes.died = True
            raise ReplicaDied("the process that loads the model was killed, or has crashed") from error
        if isinstance(told, Exception):
            raise told
        if isinstance(told, Elsewhere):
            return load_encoder(settings)
        tokenizer = models.tokenizer(models.resolve(settings))
        # Here it is for the threads that resize pictures.
        torch.set_num_threads(1)
        logger.info("%s computes in %d processes", told.info.model, len(processes.ends))
        return Replicas(processes, told, Texts(tokenizer, context_length=told.info.context_length))

    @property
    def died(self) -> bool:
        """Whether a process was lost that nobody had told to end."""
        return any(processes.died for _, processes in self._processes)

    def close(self) -> None:
        for _, processes in self._processes:
            processes.close()


@contextmanager
def replicated(settings: Settings) -> Iterator[Replicated | None]:
    """None where a model may not be replicated: with one thread, on another device, or compiled."""
    count = computing_threads(settings.threads)
    if count < FEWEST or settings.compile or settings.device not in {"auto", "cpu"}:
        yield None
        return
    all_ = Replicated(settings, count)
    try:
        yield all_
    finally:
        all_.close()
