"""Trains the picture tower: pictures come to lie where their captions lie."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from demo.recipe.augment import Strength, vary
from demo.recipe.bank import CaptionBank
from demo.recipe.schedule import Average, Clock, set_rate
from demo.recipe.sight import see
from demo.recipe.tower import DIM, SIDE, unit

logger = logging.getLogger(__name__)

BATCH = 128
MAX_SCALE = 100.0
NAME_SHARES = (1.0, 0.0, 0.0, 0.0)
MIXED_SHARES = (0.15, 0.35, 0.25, 0.25)
LOG_STEPS = 50
CHECKPOINT_STEPS = 200


@dataclass(frozen=True)
class Pictures:
    """RGBA bytes (n, h, w, 4), and for each picture: concept, may it be mirrored, how often it is drawn."""

    pixels: Tensor
    concept: Tensor
    flippable: Tensor
    weight: Tensor

    def batches(self, generator: torch.Generator, size: int = BATCH) -> Iterator[Tensor]:
        """Endless batches of indexes, each pass without repetition and with its share of the rarely drawn."""
        while True:
            kept = torch.rand(len(self.weight), generator=generator, device=generator.device) < self.weight
            order = kept.nonzero()[:, 0]
            order = order[torch.randperm(len(order), generator=generator, device=generator.device)]
            yield from torch.split(order[: len(order) // size * size], size)


@dataclass(frozen=True)
class Pace:
    """Minutes of training, the share of them on pictures of half the side, and the learning rate's peak."""

    minutes: float
    small_share: float
    peak_rate: float


class Matcher(nn.Module):
    """A picture tower, a linear map that the caption vectors pass, and two temperatures."""

    def __init__(self, visual: nn.Module) -> None:
        super().__init__()
        self.visual = visual
        self.map = nn.Linear(DIM, DIM, bias=False)
        nn.init.eye_(self.map.weight)
        self.name_scale = nn.Parameter(torch.tensor(3.0))
        self.mixed_scale = nn.Parameter(torch.tensor(3.0))

    def loss(self, pictures: Tensor, names: Tensor, mixed: Tensor, positives: tuple[Tensor, Tensor]) -> Tensor:
        """`names` (c, DIM): one caption for every concept; `mixed` (n, DIM): one for each picture.

        `positives` says which names (n, c) and which of the mixed captions (n, n) belong to each picture.
        """
        vectors = unit(see(self.visual, pictures))
        by_name = vectors @ unit(self.map(names)).T * self.name_scale.exp().clamp(max=MAX_SCALE)
        by_mixed = vectors @ unit(self.map(mixed)).T * self.mixed_scale.exp().clamp(max=MAX_SCALE)
        named, matched = positives
        both_ways = many_positives(by_mixed, matched) + many_positives(by_mixed.T, matched.T)
        return many_positives(by_name, named) + 0.5 * both_ways


def many_positives(logits: Tensor, positive: Tensor) -> Tensor:
    """Cross entropy against all positives of a row (n, m) in equal parts."""
    target = positive.float() / positive.sum(1, keepdim=True)
    return -(target * logits.log_softmax(1)).sum(1).mean()


def train_pictures(
    matcher: Any,
    pictures: Pictures,
    bank: CaptionBank,
    vectors: Tensor,
    *,
    pace: Pace,
    checkpoint: Path,
    seed: int = 0,
) -> None:
    """Train a Matcher against unit vectors (texts, DIM) of captions; `checkpoint` gets its averaged weights."""
    generator = torch.Generator(vectors.device).manual_seed(seed)
    matcher.to(vectors.device, memory_format=torch.channels_last)
    average, clock = Average(matcher, decay=0.998), Clock(pace.minutes)
    optimizer = _optimizer(matcher, pace.peak_rate)
    every = torch.arange(len(bank.labels), device=vectors.device)
    for step, chosen in enumerate(pictures.batches(generator), start=1):
        set_rate(optimizer, step, clock.share)
        concept = pictures.concept[chosen]
        names, mixed = bank.draw(every, NAME_SHARES), bank.draw(concept, MIXED_SHARES)
        side = SIDE // 2 if clock.share < pace.small_share else SIDE
        varied = vary(pictures.pixels[chosen], pictures.flippable[chosen], Strength(), side)
        positives = bank.belongs[concept][:, names], bank.belongs[concept][:, mixed]
        loss = matcher.loss(
            varied.contiguous(memory_format=torch.channels_last), vectors[names], vectors[mixed], positives
        )
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        average.update(matcher)
        if step % LOG_STEPS == 0:
            logger.info("pictures %d: %.0f%%, loss %.3f", step, 100 * clock.share, loss.item())
        if step % CHECKPOINT_STEPS == 0 or clock.spent:
            torch.save(average.model.state_dict(), checkpoint)
        if clock.spent:
            return


def _optimizer(matcher: Any, peak_rate: float) -> torch.optim.Optimizer:
    decayed = [weight for weight in matcher.parameters() if weight.ndim > 1]
    free = [weight for weight in matcher.parameters() if weight.ndim <= 1]
    groups = [
        {"params": decayed, "weight_decay": 0.05, "peak": peak_rate},
        {"params": free, "weight_decay": 0.0, "peak": peak_rate},
    ]
    return torch.optim.AdamW(groups, lr=peak_rate, betas=(0.9, 0.98), fused=True)
