"""Teaches the text tower which pictures each keyword means: texts come to lie where the concepts' pictures lie."""

import logging
import random
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from demo.recipe.bank import CaptionBank
from demo.recipe.pictures import MAX_SCALE, Pictures, many_positives
from demo.recipe.schedule import Average, Clock, set_rate
from demo.recipe.sight import see
from demo.recipe.text import Lessons, distillation_loss, text_parameters
from demo.recipe.tower import SIDE, encode_text, unit

logger = logging.getLogger(__name__)

BATCH = 256
PEAK_RATE = 6e-4
TEACHER_WEIGHT = 4.0
SHARES = (0.25, 0.4, 0.2, 0.15)
LOG_STEPS = 50
CHECKPOINT_STEPS = 200


@torch.no_grad()
def prototypes(model: Any, pictures: Pictures) -> Tensor:
    """Each concept's mean picture vector as unit rows (concepts, DIM); zero for a concept without pictures."""
    model.visual.eval()
    total = torch.zeros(int(pictures.concept.max()) + 1, model.text_projection.shape[1], device=pictures.pixels.device)
    for part in torch.split(torch.arange(len(pictures.concept), device=total.device), BATCH):
        total.index_add_(0, pictures.concept[part], unit(see(model.visual, _plain(pictures.pixels[part]))))
    return unit(total)


def align(
    model: Any,
    anchors: Tensor,
    bank: CaptionBank,
    tokens: Tensor,
    lessons: Lessons,
    *,
    weight: Tensor,
    minutes: float,
    checkpoint: Path,
    seed: int = 0,
) -> None:
    """Train the text side towards `anchors` (concepts, DIM) of concepts drawn with `weight`; pictures stay."""
    scale = nn.Parameter(torch.tensor(3.3, device=anchors.device))
    average, clock = Average(model, decay=0.995), Clock(minutes)
    optimizer = _optimizer(model, scale)
    generator = torch.Generator(anchors.device).manual_seed(seed)
    for step, lesson in enumerate(lessons.batches(random.Random(seed), BATCH), start=1):
        set_rate(optimizer, step, clock.share)
        concept = torch.multinomial(weight, BATCH, replacement=True, generator=generator)
        captions = bank.draw(concept, SHARES)
        read = unit(encode_text(model, tokens[captions]))
        found = many_positives(read @ anchors.T * scale.exp().clamp(max=MAX_SCALE), bank.belongs[:, captions].T)
        kept = distillation_loss(unit(encode_text(model, lessons.tokens[lesson])), lessons.targets[lesson])
        optimizer.zero_grad()
        torch.autograd.backward(found + TEACHER_WEIGHT * kept)
        optimizer.step()
        average.update(model)
        if step % LOG_STEPS == 0:
            logger.info("align %d: %.0f%%, loss %.3f + %.3f", step, 100 * clock.share, found.item(), kept.item())
        if step % CHECKPOINT_STEPS == 0 or clock.spent:
            torch.save(average.model.state_dict(), checkpoint)
        if clock.spent:
            return


def _plain(pixels: Tensor) -> Tensor:
    """RGBA bytes (n, h, w, 4) on white, unvaried, (n, 3, SIDE, SIDE) in -1 to 1."""
    scaled = pixels.permute(0, 3, 1, 2).float() / 255
    composed = scaled[:, :3] * scaled[:, 3:] + 1 - scaled[:, 3:]
    return functional.interpolate(composed, size=SIDE, mode="bilinear", antialias=True) * 2 - 1


def _optimizer(model: Any, scale: nn.Parameter) -> torch.optim.Optimizer:
    groups = [
        {"params": text_parameters(model), "peak": PEAK_RATE, "weight_decay": 0.0},
        {"params": [scale], "peak": PEAK_RATE, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=PEAK_RATE, betas=(0.9, 0.98), fused=True)
