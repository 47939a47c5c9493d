"""Programs for test_replicas.py, each in a process of its own: replicas are forked before there are threads.

`python -m tests.workers.encoders.replicating PROGRAM MODEL_FOLDER` prints what it found as JSON.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

import msgspec
import numpy as np
import torch

from shared.settings import Settings, SettingsError
from workers.batcher import Batcher
from workers.batches import Budget
from workers.device_trouble import DeviceFailed
from workers.encoders.load import load_encoder
from workers.encoders.protocol import Encoder, Matrix, replicas_of
from workers.encoders.replicas import ReplicaDied, Replicated, replicated

TEXTS = [
    "a cat",
    "",
    "two red bicycles in front of a wall",
    "日本語",
    "a" * 500,
    "dog",
    "an old boat",
    "x y z",
    "night",
]


def settings(folder: str, **given: Any) -> Settings:
    return Settings(model=f"local-dir:{folder}", device="cpu", precision="fp32", **given)


def same_vectors(folder: str) -> Any:
    """The largest difference from the encoder of one process, for batches of every size up to nine."""
    with replicated(settings(folder, threads=3)) as replicas:
        assert replicas is not None
        ours = replicas.load(settings(folder, threads=3))
        alone = load_encoder(settings(folder))
        tokens = [ours.tokenize(text)[0] for text in TEXTS]
        draw = np.random.default_rng(0)
        pictures = [draw.integers(0, 256, (*ours.info.image_size, 3), dtype=np.uint8) for _ in TEXTS]
        sizes = range(1, len(TEXTS) + 1)
        texts = [np.abs(ours.encode_texts(tokens[:n]) - alone.encode_texts(tokens[:n])).max() for n in sizes]
        images = [np.abs(ours.encode_images(pictures[:n]) - alone.encode_images(pictures[:n])).max() for n in sizes]
        both = [text for text in TEXTS if ours.tokenize(text)[1] == alone.tokenize(text)[1]]
        return {
            "texts": float(max(texts)),
            "images": float(max(images)),
            "info": ours.info == alone.info,
            "cut": len(both) == len(TEXTS),
            "preprocess": bool((ours.preprocess(pictures[0]) == alone.preprocess(pictures[0])).all()),
        }


def with_several_threads(folder: str) -> Any:
    """Each of them, whatever was computed before it was forked: device and precision are chosen by themselves."""
    auto = Settings(model=f"local-dir:{folder}", threads=3)
    with replicated(auto) as replicas:
        assert replicas is not None
        encoder = replicas.load(auto)
        tokens, blank = encoder.tokenize("a cat")[0], np.zeros((*encoder.info.image_size, 3), dtype=np.uint8)
        rows = []
        for one in replicas_of(encoder):
            for one.threads in (1, 2, 3, 1):
                rows += [one.encode_images([blank])[0], one.encode_texts([tokens])[0]]
        return {
            "replicas": len(replicas_of(encoder)),
            "differ": float(np.abs(rows[2:] - np.tile(rows[:2], (11, 1))).max()),
        }


def an_error_is_its_callers(folder: str) -> Any:
    """And leaves nothing behind that the next batch could take for its own."""
    with replicated(settings(folder, threads=2)) as replicas:
        assert replicas is not None
        encoder = replicas.load(settings(folder, threads=2))
        cat, dog = (encoder.tokenize(text)[0] for text in ("a cat", "dog"))
        before = encoder.encode_texts([cat, dog])
        pictures = [np.zeros((size, 8, 3), dtype=np.uint8) for size in (8, 8, 8, 9)]
        told = [
            failed(lambda: encoder.encode_texts([dog, cat, cat + 10**9])),
            failed(lambda: encoder.encode_texts([cat + 10**9, dog])),
            failed(lambda: encoder.encode_images(pictures)),
        ]
        return {
            "told": told,
            "goes on": bool((encoder.encode_texts([cat, dog]) == before).all()),
            "died": replicas.died,
        }


def failed(work: Callable[[], object]) -> str:
    try:
        work()
    except Exception as error:  # noqa: BLE001 - whatever the model raises
        return type(error).__name__
    return ""


def one_is_killed(folder: str) -> Any:
    with replicated(settings(folder, threads=2)) as replicas:
        assert replicas is not None
        encoder = replicas.load(settings(folder, threads=2))
        tokens = encoder.tokenize("a cat")[0]
        [second] = children(*children(os.getpid()))
        os.kill(second, signal.SIGKILL)
        try:
            encoder.encode_texts([tokens, tokens])
        except ReplicaDied:
            return {"died": replicas.died}
    return {}


def each_by_itself(folder: str) -> Any:
    """A batcher gives each batches of its own: the largest difference from one process, and how many were at work."""
    with replicated(settings(folder, threads=3)) as replicas:
        assert replicas is not None
        encoder = replicas.load(settings(folder, threads=3))
        alone = load_encoder(settings(folder))
        found, working = asyncio.run(batched(encoder, [f"text {number}" for number in range(99)]))
        known = alone.encode_texts([alone.tokenize(f"text {number}")[0] for number in range(99)])
        together = encoder.encode_texts([encoder.tokenize(text)[0] for text in TEXTS])
        return {
            "texts": float(np.abs(found - known).max()),
            "working": working,
            "together": bool(np.abs(together - alone.encode_texts([alone.tokenize(t)[0] for t in TEXTS])).max() < 1e-5),
        }


async def batched(encoder: Encoder, texts: list[str]) -> tuple[Matrix, int]:
    """(n, dim), and how many replicas worked at once at most."""
    batcher, working = Batcher(encoder, budget=Budget(texts=12, images=12, tokens=999), max_queued=999), 0

    def started() -> None:
        nonlocal working
        working = max(working, sum(bool(batch) for batch in batcher.at))

    try:
        embedded = await asyncio.gather(*(batcher.text(text, started=started) for text in texts))
        return np.stack([one.vector for one in embedded]), working
    finally:
        await asyncio.to_thread(batcher.close)


def killed_under_a_batcher(folder: str) -> Any:
    """All of the device is out of service: the worker ends, and another takes over."""
    with replicated(settings(folder, threads=2)) as replicas:
        assert replicas is not None
        encoder = replicas.load(settings(folder, threads=2))
        [second] = children(*children(os.getpid()))
        os.kill(second, signal.SIGKILL)
        try:
            asyncio.run(batched(encoder, TEXTS))
        except DeviceFailed:
            return {"died": replicas.died}
    return {}


def no_such_model(folder: str) -> Any:
    wrong = settings(f"{folder}/nothing", threads=2)
    with replicated(wrong) as replicas:
        assert replicas is not None
        try:
            replicas.load(wrong)
        except SettingsError as error:
            return {"told": str(error)}
    return {}


def killed_while_it_loads(folder: str) -> Any:
    with replicated(settings(folder, threads=2)) as replicas:
        assert replicas is not None
        for pid in children(os.getpid()):
            os.kill(pid, signal.SIGKILL)
        try:
            replicas.load(settings(folder, threads=2))
        except ReplicaDied:
            return {"died": replicas.died}
    return {}


def two_models(folder: str) -> Any:
    """Each has processes of its own, and lower priority than this one; all are gone behind the block."""
    both = settings(folder, threads=2, models=f"other=local-dir:{folder}", worker_models="default,other")
    with mock.patch("os.kill", wraps=os.kill) as kill, replicated(both) as replicas:
        assert isinstance(replicas, Replicated)
        encoders: list[Encoder] = [replicas.load(both.of_model(name)) for name in both.held_models]
        rows = [one.encode_texts([one.tokenize("a cat")[0]]) for one in encoders]
        first = children(os.getpid())
        all_ = [*first, *children(*first)]
        niceness = {os.getpriority(os.PRIO_PROCESS, pid) for pid in all_}
    return {
        "killed": kill.call_count,
        "processes": len(all_),
        "nice": min(niceness) > os.getpriority(os.PRIO_PROCESS, 0),
        "same": bool(all(np.array_equal(one, other) for one, other in pairwise(rows))),
        "left": children(os.getpid()),
    }


def on_another_device(folder: str) -> Any:
    """Which only the process that loads can find out, as a worker that has looked for a GPU may not be forked."""
    auto = Settings(model=f"local-dir:{folder}", precision="fp32", threads=2)
    with (
        mock.patch("workers.encoders.replica_process.choose_device", return_value=torch.device("meta")),
        replicated(auto) as replicas,
    ):
        assert replicas is not None
        encoder = replicas.load(auto)
        rows = encoder.encode_texts([encoder.tokenize("a cat")[0]])
        return {"kind": type(encoder).__name__, "rows": len(rows), "died": replicas.died}


def stuck(folder: str) -> Any:
    """A process that answers nothing does not keep its worker."""
    with replicated(settings(folder, threads=2)) as replicas:
        assert replicas is not None
        replicas.load(settings(folder, threads=2))
        first = children(os.getpid())
        for pid in (*first, *children(*first)):
            os.kill(pid, signal.SIGSTOP)
    return {"left": children(os.getpid())}


def waits(folder: str) -> Any:
    """Says which processes there are, and waits to be killed."""
    with replicated(settings(folder, threads=2)) as replicas:
        assert replicas is not None
        replicas.load(settings(folder, threads=2))
        first = children(os.getpid())
        told([*first, *children(*first)])
        time.sleep(600)


def children(*parents: int) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent in parents:
            found.append(int(folder.name))
    return found


def told(what: Any) -> None:
    sys.stdout.write(msgspec.json.encode(what).decode() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    told(globals()[sys.argv[1]](sys.argv[2]))
