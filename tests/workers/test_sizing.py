"""What a worker concludes from what it measured, and what settings take out of its hands."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.settings import Settings
from tests.workers.starved import Device, cpu_runs_out, holds
from workers import executors, sizing
from workers.encoders.protocol import Encoder
from workers.sizing import (
    LONGEST_BATCH_S,
    MOST_IMAGES,
    MOST_JOBS,
    MOST_TEXTS,
    Rate,
    chosen,
    halved_from,
    has_cpus_left,
    measure,
    most_queued,
    repeat,
    told,
)
from workers.tasks.ingest import MOST_CHUNK
from workers.tasks.reindex import PAGE


def rates(*took_ms: float) -> list[Rate]:
    return [Rate(items=2**at, took_s=ms / 1000) for at, ms in enumerate(took_ms)]


@pytest.mark.parametrize(
    ("took_ms", "expected"),
    [
        ((10, 11, 12, 14, 20, 39, 78), 16),  # twice the size takes twice the time from 16 on
        ((1, 1, 1, 1, 1, 1, 1), 64),  # a device that a batch of any size costs the same
        ((10, 20, 40, 80, 160), 16),  # batching brings nothing, but tiny batches cost elsewhere
        ((100, 150, 200, 400, 800), 4),  # a slow device: nobody shall wait long for a batch
        ((900,), 1),
    ],
)
def test_the_smallest_fast_enough_batch_is_chosen(took_ms: tuple[float, ...], expected: int) -> None:
    found = chosen(rates(*took_ms), least=16)
    assert found is not None
    assert found.items == expected


def test_nothing_is_chosen_where_nothing_worked() -> None:
    assert chosen([], least=16) is None


@pytest.mark.parametrize(
    ("took_ms", "expected"),
    [
        ((10, 12, 16, 24, 40, 72), 8),  # 8 and 2 for each
        ((10, 12, 16, 24, 90, 72), 8),  # one was disturbed
        ((5, 10, 20, 40), 2),  # batching brings nothing
        ((1, 1, 1, 1), 0),  # a device that a batch of any size costs the same
        ((1,), 0),
        ((), 0),
    ],
)
def test_batches_are_halved_where_the_mean_wait_does_not_grow(took_ms: tuple[float, ...], expected: int) -> None:
    assert halved_from(rates(*took_ms)) == expected


@pytest.mark.parametrize(
    ("device", "cpus", "threads", "expected"),
    [("cpu", 2, 0, False), ("cpu", 2, 1, True), ("cpu", 4, 0, True), ("cpu", 4, 4, False), ("cuda:0", 1, 0, True)],
)
def test_batches_stay_whole_where_the_model_computes_on_all_cpus(
    monkeypatch: pytest.MonkeyPatch, device: str, cpus: int, threads: int, expected: bool
) -> None:
    for module in (executors, sizing):
        monkeypatch.setattr(module, "cpus_granted", lambda: cpus)
    assert has_cpus_left(device, threads) is expected


@given(start_ms=st.floats(0.1, 50), each_ms=st.floats(0.01, 50))
def test_half_a_batch_and_then_the_other_make_nobody_wait_longer_on_average(start_ms: float, each_ms: float) -> None:
    def took_ms(items: float) -> float:
        return start_ms + each_ms * items

    items = halved_from(rates(*(took_ms(2**at) for at in range(7))))
    assert 1.5 * took_ms(items / 2) <= took_ms(items) * (1 + 1e-9)


@given(st.lists(st.floats(1e-6, 2.0), min_size=1, max_size=10))
def test_what_is_chosen_was_measured_and_is_short_where_it_can_be(took_s: list[float]) -> None:
    measured = [Rate(items=2**at, took_s=one) for at, one in enumerate(took_s)]
    found = chosen(measured, least=16)
    assert found in measured
    if any(one.took_s <= LONGEST_BATCH_S for one in measured):
        assert found.took_s <= LONGEST_BATCH_S


def test_a_worker_measures_what_is_not_set(tiny_encoder: Encoder) -> None:
    sizing = measure(tiny_encoder, Settings())
    assert sizing.text is not None
    assert sizing.image is not None
    assert 1 <= sizing.budget.texts <= MOST_TEXTS
    assert 1 <= sizing.budget.images <= MOST_IMAGES
    assert sizing.budget.tokens >= tiny_encoder.info.context_length
    assert sizing.budget.texts <= sizing.jobs <= MOST_JOBS
    assert "texts/s" in told(sizing)


def test_what_was_measured_is_used_once_in_every_size_and_holds_again(tiny_encoder: Encoder) -> None:
    device = Device(tiny_encoder, holds(MOST_TEXTS, cpu_runs_out))
    found = measure(device, Settings())
    assert found.text is not None
    assert found.image is not None
    device.sizes.clear()
    assert repeat(device, Settings(), sizing=found) == found
    texts, images = ([1 << power for power in range(rate.items.bit_length())] for rate in (found.text, found.image))
    assert device.sizes == [*texts, *images]
    assert (texts[-1], images[-1]) == (found.budget.texts, found.budget.images)


def test_where_the_settings_say_it_nothing_is_used_again(tiny_encoder: Encoder) -> None:
    device = Device(tiny_encoder, holds(MOST_TEXTS, cpu_runs_out))
    found = measure(device, Settings(max_batch=8))
    assert repeat(device, Settings(max_batch=8), sizing=found) == found
    assert device.sizes == []


def test_a_size_that_does_not_fit_any_more_is_measured_anew(tiny_encoder: Encoder) -> None:
    roomy = measure(tiny_encoder, Settings())
    assert roomy.budget.texts > 4
    found = repeat(Device(tiny_encoder, holds(4, cpu_runs_out)), Settings(), sizing=roomy)
    assert found.budget.texts <= 4


def test_settings_take_the_place_of_measuring(tiny_encoder: Encoder) -> None:
    device = Device(tiny_encoder, lambda _: None)
    sizing = measure(device, Settings(max_batch=5, max_batch_tokens=99, max_jobs=7))
    assert (sizing.budget.texts, sizing.budget.images, sizing.budget.tokens, sizing.jobs) == (5, 5, 99, 7)
    assert sizing.text is None
    assert device.sizes == []


def test_batches_that_do_not_fit_into_memory_end_the_measuring(tiny_encoder: Encoder) -> None:
    sizing = measure(Device(tiny_encoder, holds(8, cpu_runs_out)), Settings())
    assert 1 <= sizing.budget.texts <= 8
    assert 1 <= sizing.budget.images <= 8


def test_what_bulk_jobs_encode_at_a_time_fits_into_the_line_of_any_worker() -> None:
    for jobs in (1, 8, 1_024):
        room = most_queued(jobs, Settings(max_bulk_jobs=3))
        assert room >= 3 * max(MOST_CHUNK, PAGE) + jobs
