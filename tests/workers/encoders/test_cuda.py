"""The encoder on a CUDA device: the vectors that the CPU gives, whatever the batch; skipped where there is none."""

import asyncio
import itertools
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bench.phrases import phrases
from shared.settings import Settings
from tests.workers.encoders.test_encoder_contract import KINDS, STRANGE, embed, pictures
from tests.workers.models import save_model
from workers.batcher import Batcher
from workers.batches import Budget
from workers.device_turns import DeviceTurns
from workers.encoders import captures
from workers.encoders.devices import all_devices
from workers.encoders.load import load_encoder
from workers.encoders.protocol import Encoder, Matrix
from workers.sizing import measure

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]
# fp32 sums in another order than on the CPU.
SAME = 2e-5
LEAST_COSINE = 0.999
WITHIN_S = 120.0


def loaded(folder: Path, **settings: Any) -> Any:
    return load_encoder(Settings(model=f"local-dir:{folder}", **settings))


@pytest.fixture(scope="module")
def photo_sized() -> Encoder:
    """ViT-B-32 in the precision that CUDA gets by itself."""
    return load_encoder(Settings(model="ViT-B-32", pretrained="random", device="cuda"))


@pytest.fixture(scope="module")
def exact() -> Encoder:
    return load_encoder(Settings(model="ViT-B-32", pretrained="random", device="cpu", precision="fp32"))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_model_gives_the_vectors_of_the_cpu(kind: str, tmp_path: Path) -> None:
    folder = save_model(tmp_path / kind, **KINDS[kind])
    here, there = (loaded(folder, device=device, precision="fp32") for device in ("cpu", "cuda"))
    assert here.info.fingerprint == there.info.fingerprint
    texts = [*STRANGE.values(), "a happy cat"]
    np.testing.assert_allclose(embed(there, *texts), embed(here, *texts), atol=SAME)
    shown = pictures(here, 3)
    np.testing.assert_allclose(there.encode_images(shown), here.encode_images(shown), atol=SAME)


def test_each_device_that_is_found_can_be_named(tiny_model: Path, tiny_encoder: Encoder) -> None:
    for name in all_devices():
        named = loaded(tiny_model, device=name, precision="fp32")
        assert named.info.device == name
        np.testing.assert_allclose(embed(named, *STRANGE.values()), embed(tiny_encoder, *STRANGE.values()), atol=SAME)
        shown = pictures(tiny_encoder, 3)
        np.testing.assert_allclose(named.encode_images(shown), tiny_encoder.encode_images(shown), atol=SAME)


def test_a_known_model_takes_fp16_and_nearly_the_vectors_of_fp32(photo_sized: Encoder, exact: Encoder) -> None:
    assert photo_sized.info.precision == "fp16"
    assert photo_sized.info.fingerprint == exact.info.fingerprint
    texts = [*STRANGE.values(), *itertools.islice(phrases(1), 40)]
    assert float((embed(photo_sized, *texts) * embed(exact, *texts)).sum(axis=1).min()) >= LEAST_COSINE
    shown = pictures(exact, 5)
    cosines = (photo_sized.encode_images(shown) * exact.encode_images(shown)).sum(axis=1)
    assert float(cosines.min()) >= LEAST_COSINE


def test_every_graph_is_captured_and_none_disturbs_another(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failed: list[object] = []
    monkeypatch.setattr(captures.logger, "warning", lambda *told: failed.append(told))
    here, there = (loaded(tiny_model, device=device, precision="fp32") for device in ("cpu", "cuda"))
    draw = np.random.default_rng(0)
    batches = [
        ["word " * int(words) for words in draw.integers(0, longest, size)]
        for size in (1, 2, 3, 7, 20, 64, 100, 513)
        for longest in (2, 9, 22)
    ]
    results = [embed(there, *batch) for batch in batches for _ in range(2)]
    expected = [embed(here, *batch) for batch in batches for _ in range(2)]
    for found, wanted in zip(results, expected, strict=True):
        np.testing.assert_allclose(found, wanted, atol=SAME)
    assert failed == []


@pytest.mark.parametrize("count", [1, 2, 31, 32, 33, 64, 97, 200])
def test_pictures_of_any_number_arrive_whole_and_in_order(tiny_model: Path, count: int) -> None:
    here, there = (loaded(tiny_model, device=device, precision="fp32") for device in ("cpu", "cuda"))
    shown = pictures(here, count)
    for _ in range(3):
        np.testing.assert_allclose(there.encode_images(shown), here.encode_images(shown), atol=SAME)


def test_graphs_are_captured_while_other_threads_use_the_device(tiny_model: Path) -> None:
    here, there = (loaded(tiny_model, device=device, precision="fp32") for device in ("cpu", "cuda"))
    over = threading.Event()

    def disturb() -> None:
        sizes = itertools.count(1 << 20, 1 << 12)
        while not over.is_set():
            # New sizes want new memory, which is what a capture could mind.
            torch.empty(next(sizes), dtype=torch.uint8).pin_memory().to("cuda", non_blocking=True).sum().item()
            there.memory_bytes()

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        for count in (1, 3, 9, 30, 70):
            texts = [f"a cat and {number} dogs" for number in range(count)]
            np.testing.assert_allclose(embed(there, *texts), embed(here, *texts), atol=SAME)
    finally:
        over.set()
        thread.join()


def test_memory_is_told(photo_sized: Encoder) -> None:
    told = photo_sized.memory_bytes()
    assert 0 < told["allocated"] <= told["reserved"] < told["total"]
    assert 0 < told["free"] < told["total"]


def test_sizing_finds_that_a_gpu_wants_large_batches(photo_sized: Encoder) -> None:
    sizing = measure(photo_sized, Settings())
    assert sizing.budget.texts >= 128
    assert sizing.budget.images >= 32


@pytest.fixture
def with_little_memory() -> Iterator[Encoder]:
    """What a model takes, and 64 MiB: not enough for the inner rows of a large batch of pictures."""
    encoder = load_encoder(Settings(model="ViT-B-32", pretrained="random", device="cuda"))
    encoder.encode_images(pictures(encoder, 1))
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + (64 << 20)) / total)
    yield encoder
    torch.cuda.set_per_process_memory_fraction(1.0)


async def test_a_batch_that_the_devices_memory_does_not_hold_is_halved(
    with_little_memory: Encoder, exact: Encoder
) -> None:
    batcher = Batcher(with_little_memory, budget=Budget(texts=8, images=512, tokens=1_000), max_queued=1_000)
    [pixels, *_] = shown = pictures(exact, 2)
    try:
        async with asyncio.timeout(WITHIN_S):
            embedded = await asyncio.gather(*(batcher.image(shown[number % 2]) for number in range(512)))
        assert batcher.stats().halved > 0
    finally:
        await asyncio.to_thread(batcher.close)
    rows: Matrix = np.stack([one.vector for one in embedded])
    assert float(rows[0] @ exact.encode_images([pixels])[0]) >= LEAST_COSINE
    assert float((rows[::2] @ rows[0]).min()) >= LEAST_COSINE


async def test_two_models_share_a_device(photo_sized: Encoder, exact: Encoder, tiny_model: Path) -> None:
    small, small_exact = (loaded(tiny_model, device=device, precision="fp32") for device in ("cuda", "cpu"))
    turns = DeviceTurns()
    batchers = [
        Batcher(encoder, budget=Budget(texts=16, images=16, tokens=1_000), max_queued=1_000, turns=turns)
        for encoder in (photo_sized, small)
    ]
    texts = list(itertools.islice(phrases(3), 100))
    try:
        async with asyncio.timeout(WITHIN_S):
            embedded = await asyncio.gather(*(one.text(text) for text in texts for one in batchers))
    finally:
        for one in batchers:
            await asyncio.to_thread(one.close)
    large, little = (np.stack([one.vector for one in embedded[first::2]]) for first in (0, 1))
    assert float((large * embed(exact, *texts)).sum(axis=1).min()) >= LEAST_COSINE
    np.testing.assert_allclose(little, embed(small_exact, *texts), atol=SAME)
