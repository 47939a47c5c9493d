"""How much goes to a device together, and how many jobs its worker holds: measured at the start, or as set."""

import logging
from collections.abc import Callable, Sequence
from itertools import combinations, cycle, islice
from math import ceil
from statistics import median
from time import perf_counter

import msgspec
import numpy as np

from shared.settings import Settings
from workers.batch_queue import text_length
from workers.batches import Budget
from workers.device_trouble import trouble
from workers.encoders.protocol import Encoder, EncoderInfo, Pixels, Tokens, replicas_of
from workers.executors import computing_threads, cpus_granted

logger = logging.getLogger(__name__)

# Measuring a kind takes no longer, but for its last batch; sizes double until one of these bounds is met.
MEASURE_S = 1.0
LONGEST_BATCH_S = 0.25
MOST_TEXTS, MOST_IMAGES = 512, 512
# A larger batch makes everybody in it wait: the smallest that reaches this share of the best rate is taken.
ENOUGH = 0.95
# A noisy moment at the start shall not bind a device to tiny batches.
LEAST_TEXTS, LEAST_IMAGES = 16, 4
# Batches may be of longer texts than those that were measured.
ROOM_FOR_LENGTH = 2
# One batch on the device, one prepared, and two in the store or on their way in and out of Redis.
BATCHES_HELD = 4
LEAST_JOBS, MOST_JOBS = 64, 1_024
# Requests that may wait for the device: so many for each job that may run, and of a bulk job as many pictures as it
# encodes at a time.
QUEUED_PER_JOB, QUEUED_PER_BULK_JOB = 4, 64
# While nothing was measured.
ASSUMED = Budget(texts=64, images=64, tokens=2_048)

# Of the lengths of real queries: 3 to 14 tokens.
TYPICAL = (
    "a happy cat",
    "sunset",
    "red bicycle leaning against a brick wall",
    "two people on a beach at night",
    "old map of the city",
    "a birthday cake with candles and strawberries on a wooden table",
    "green tractor",
    "children playing football in the rain",
)


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """A size of batch and how long one took, in seconds."""

    items: int
    took_s: float

    @property
    def items_s(self) -> float:
        return self.items / max(self.took_s, 1e-9)


class Sizing(msgspec.Struct, frozen=True, kw_only=True):
    """What was found; a rate is None where the settings left nothing to measure."""

    budget: Budget
    jobs: int
    text: Rate | None = None
    image: Rate | None = None


def measure(encoder: Encoder, settings: Settings) -> Sizing:
    """Belongs on the thread that owns the device. Takes about two seconds at most. Raises what a broken device does."""
    tokens = _typical(encoder)
    of_texts = [] if settings.max_batch else text_rates(encoder, tokens)
    of_images = [] if settings.max_batch else image_rates(encoder)
    text, image = chosen(of_texts, least=LEAST_TEXTS), chosen(of_images, least=LEAST_IMAGES)
    texts = settings.max_batch or (text.items if text else ASSUMED.texts)
    images = settings.max_batch or (image.items if image else ASSUMED.images)
    # One text as long as the context takes always goes.
    longest = max(encoder.info.context_length, ROOM_FOR_LENGTH * texts * _mean_length(tokens))
    may_halve = not replicas_of(encoder) and has_cpus_left(encoder.info.device, settings.threads)
    budget = Budget(
        texts=texts,
        images=images,
        tokens=settings.max_batch_tokens or longest,
        texts_halved=halved_from(of_texts) if may_halve else 0,
        images_halved=halved_from(of_images) if may_halve else 0,
    )
    jobs = settings.max_jobs or min(MOST_JOBS, max(LEAST_JOBS, BATCHES_HELD * budget.texts))
    return Sizing(budget=budget, jobs=jobs, text=text, image=image)


def measured_as(info: EncoderInfo) -> str:
    """What a sizing holds for: other weights, or another device, are measured anew."""
    return f"{info.fingerprint} on {info.device} in {info.precision}"


def repeat(encoder: Encoder, settings: Settings, *, sizing: Sizing) -> Sizing:
    """Use batches of the sizes that were found before, so that no search is the first one to; `sizing` again, or a new
    one where they do not work any more."""
    tokens = _typical(encoder)
    try:
        for items in _doublings(sizing.text):
            encoder.encode_texts(list(islice(cycle(tokens), items)))
        for items in _doublings(sizing.image):
            encoder.encode_images([grey(encoder)] * items)
    except Exception as error:  # as in `_rates`
        if trouble(error) == "device":
            raise
        logger.warning("what worked here before does not any more, and is measured again: %s", error)
        return measure(encoder, settings)
    return sizing


def told(sizing: Sizing) -> str:
    """In words, for the log."""
    budget = sizing.budget
    parts = [f"batches of {budget.texts} texts, {budget.tokens:,} tokens, {budget.images} pictures; {sizing.jobs} jobs"]
    for kind, rate in (("texts", sizing.text), ("pictures", sizing.image)):
        if rate is not None:
            parts.append(f"{rate.items_s:,.0f} {kind}/s, {rate.took_s * 1000:.0f} ms a batch")
    if budget.texts_halved:
        parts.append(f"{budget.texts_halved} texts or more leave in halves")
    return "; ".join(parts)


def assumed(settings: Settings) -> Budget:
    """Before anything was measured."""
    most = settings.max_batch
    return Budget(
        texts=most or ASSUMED.texts,
        images=most or ASSUMED.images,
        tokens=settings.max_batch_tokens or ASSUMED.tokens,
    )


def most_queued(jobs: int, settings: Settings) -> int:
    """How many requests may wait for the device of a worker that holds so many interactive jobs."""
    return QUEUED_PER_JOB * jobs + QUEUED_PER_BULK_JOB * settings.max_bulk_jobs


def text_rates(encoder: Encoder, tokens: Sequence[Tokens]) -> list[Rate]:
    return _rates(lambda items: encoder.encode_texts(list(islice(cycle(tokens), items))), most=MOST_TEXTS)


def image_rates(encoder: Encoder) -> list[Rate]:
    picture = grey(encoder)
    return _rates(lambda items: encoder.encode_images([picture] * items), most=MOST_IMAGES)


def chosen(rates: Sequence[Rate], *, least: int) -> Rate | None:
    """The smallest of the fast enough that is not tiny and does not hold the device for long."""
    short = [one for one in rates if one.took_s <= LONGEST_BATCH_S] or rates[:1]
    if not short:
        return None
    enough = ENOUGH * max(one.items_s for one in short)
    return next((one for one in short if one.items_s >= enough and one.items >= least), short[-1])


def has_cpus_left(device: str, threads: int) -> bool:
    """Beside those that compute: where there are none, nothing is idle while people read their answers, since API and
    store work on the same CPUs, and whole batches are the cheapest (bench/RESULTS.md)."""
    return device != "cpu" or computing_threads(threads) < cpus_granted()


def halved_from(rates: Sequence[Rate]) -> int:
    """From how many items on two halves, one after the other, make them wait no longer on average than the whole does.

    Where n take a + b n, that is 1.5 (a + b n / 2) <= a + b n, so n >= 2 a / b. The line is Theil and Sen's, medians
    over all pairs of sizes (Sen, J. Am. Stat. Assoc. 63, 1968): a noisy moment at the start does not move it. 0: never.
    """
    slopes = [(b.took_s - a.took_s) / (b.items - a.items) for a, b in combinations(rates, 2)]
    each_s = median(slopes) if slopes else 0.0
    if each_s <= 0.0:
        return 0
    start_s = median(one.took_s - each_s * one.items for one in rates)
    return max(2, ceil(2 * start_s / each_s))


def _rates(encode: Callable[[int], object], *, most: int) -> list[Rate]:
    """Sizes in powers of two; the better of two runs, as the first of a size may have to compile. Ends at an error,
    which is what too large a batch for the device's memory gives."""
    rates: list[Rate] = []
    began, items = perf_counter(), 1
    while items <= most and perf_counter() - began < MEASURE_S:
        try:
            rates.append(Rate(items=items, took_s=min(_timed_s(encode, items), _timed_s(encode, items))))
        except Exception as error:  # torch raises plain RuntimeErrors
            if trouble(error) == "device":
                raise
            logger.warning("batches of %d do not work here: %s", items, error)
            break
        if rates[-1].took_s > LONGEST_BATCH_S or _declines(rates):
            break
        items *= 2
    return rates


def _declines(rates: Sequence[Rate]) -> bool:
    """Two doublings in a row brought nothing."""
    return (
        len(rates) > 2 and rates[-3].items_s >= max(one.items_s for one in rates[-2:]) and rates[-1].items > LEAST_TEXTS
    )


def _timed_s(encode: Callable[[int], object], items: int) -> float:
    began = perf_counter()
    encode(items)
    return perf_counter() - began


def _typical(encoder: Encoder) -> list[Tokens]:
    return [encoder.tokenize(text)[0] for text in TYPICAL]


def grey(encoder: Encoder) -> Pixels:
    """A picture as large as the model's input."""
    height, width = encoder.info.image_size
    return np.full((height, width, 3), 127, dtype=np.uint8)


def _doublings(rate: Rate | None) -> list[int]:
    """1, 2, 4 … up to the size that was chosen; none where the settings chose it."""
    return [] if rate is None else [1 << power for power in range(rate.items.bit_length())]


def _mean_length(tokens: Sequence[Tokens]) -> int:
    return round(sum(map(text_length, tokens)) / len(tokens))
