"""Tunes both towers on each other, while the text tower still answers to the teacher."""

import logging
import random
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from demo.recipe.augment import Strength, vary
from demo.recipe.bank import CaptionBank
from demo.recipe.pictures import MAX_SCALE, MIXED_SHARES, NAME_SHARES, Pictures, many_positives
from demo.recipe.schedule import Average, Clock, set_rate
from demo.recipe.sight import see
from demo.recipe.text import Lessons, distillation_loss, text_parameters
from demo.recipe.tower import SIDE, encode_all, encode_text, unit

logger = logging.getLogger(__name__)

BATCH = 128
PICTURE_RATE = 6e-4
TEXT_RATE = 3e-4
TEACHER_WEIGHT = 2.0
REFRESH_STEPS = 40  # between encodings of all labels, which are too many to encode at every step
LOG_STEPS = 20
CHECKPOINT_STEPS = 100


class Pairing:
    """Both towers' loss on a batch: pictures against captions of the batch, and against every concept's label."""

    def __init__(self, model: Any, pictures: Pictures, bank: CaptionBank, tokens: Tensor) -> None:
        self._model = model
        self._pictures = pictures
        self._bank = bank
        self._tokens = tokens
        self._labels = torch.empty(0)

    def refresh(self) -> None:
        """Encode all labels as the text tower sees them now."""
        self._labels = encode_all(self._model, self._tokens[self._bank.labels])

    def loss(self, chosen: Tensor) -> Tensor:
        """Of the pictures `chosen` (n,), varied anew."""
        concept = self._pictures.concept[chosen]
        varied = vary(self._pictures.pixels[chosen], self._pictures.flippable[chosen], Strength(), SIDE)
        seen = unit(see(self._model.visual, varied.contiguous(memory_format=torch.channels_last)))
        scale = self._model.logit_scale.exp().clamp(max=MAX_SCALE)
        belongs = self._bank.belongs[concept]
        named = many_positives(seen @ self._labels.T * scale, belongs[:, self._bank.labels])
        return named + sum(self._batch_loss(seen, scale, concept, shares) for shares in (NAME_SHARES, MIXED_SHARES))

    def _batch_loss(self, seen: Tensor, scale: Tensor, concept: Tensor, shares: tuple[float, ...]) -> Tensor:
        captions = self._bank.draw(concept, shares)
        logits = seen @ unit(encode_text(self._model, self._tokens[captions])).T * scale
        positive = self._bank.belongs[concept][:, captions]
        return 0.5 * (many_positives(logits, positive) + many_positives(logits.T, positive.T))


def tune(
    model: Any,
    pictures: Pictures,
    bank: CaptionBank,
    tokens: Tensor,
    lessons: Lessons,
    *,
    minutes: float,
    checkpoint: Path,
    seed: int = 0,
) -> None:
    """Train all of `model`; `tokens` are the bank's captions, and `checkpoint` gets the averaged state."""
    model.visual.to(memory_format=torch.channels_last)
    pairing = Pairing(model, pictures, bank, tokens)
    taught = lessons.batches(random.Random(seed), BATCH)
    average, clock, optimizer = Average(model, decay=0.995), Clock(minutes), _optimizer(model)
    for step, chosen in enumerate(pictures.batches(torch.Generator(tokens.device).manual_seed(seed), BATCH), start=1):
        if step % REFRESH_STEPS == 1:
            pairing.refresh()
        set_rate(optimizer, step, clock.share)
        contrast, lesson = pairing.loss(chosen), next(taught)
        kept = distillation_loss(unit(encode_text(model, lessons.tokens[lesson])), lessons.targets[lesson])
        optimizer.zero_grad()
        torch.autograd.backward(contrast + TEACHER_WEIGHT * kept)
        optimizer.step()
        average.update(model)
        if step % LOG_STEPS == 0:
            logger.info("joint %d: %.0f%%, loss %.3f + %.3f", step, 100 * clock.share, contrast.item(), kept.item())
        if step % CHECKPOINT_STEPS == 0 or clock.spent:
            torch.save(average.model.state_dict(), checkpoint)
        if clock.spent:
            return


def _optimizer(model: Any) -> torch.optim.Optimizer:
    groups = [
        {"params": list(model.visual.parameters()), "peak": PICTURE_RATE, "weight_decay": 0.05},
        {"params": text_parameters(model), "peak": TEXT_RATE, "weight_decay": 0.0},
        {"params": [model.logit_scale], "peak": TEXT_RATE, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=TEXT_RATE, betas=(0.9, 0.98), fused=True)
