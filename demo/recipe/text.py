"""Distils the text tower: open_clip's CLIP transformer learns to place texts where the teacher places them."""

import logging
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from demo.recipe.schedule import Clock, set_rate
from demo.recipe.tower import encode_text, unit

logger = logging.getLogger(__name__)

BATCH = 256
POOL = 32  # batches whose texts are sorted by length together: little padding, batches still random
TEMPERATURE = 0.05
PEAK_RATE = 2e-3
EMBEDDING_STD = 0.05
LOG_STEPS = 100
CHECKPOINT_STEPS = 400


def start_from_teacher(model: Any, token_vectors: Tensor) -> None:
    """Token embeddings begin as the teacher's view of each token's spelling, in the tower's width."""
    width = model.token_embedding.weight.shape[1]
    centred = token_vectors - token_vectors.mean(0)
    _, axes = torch.linalg.eigh(centred.T @ centred)
    reduced = centred @ axes[:, -width:]
    with torch.no_grad():
        model.token_embedding.weight[: len(reduced)] = reduced / reduced.std() * EMBEDDING_STD


@dataclass(frozen=True)
class Lessons:
    """Tokens (n, CONTEXT), where the teacher puts each text as unit rows (n, DIM), and one pass's order of them (m,).

    A text that the order names several times is learnt better than the others.
    """

    tokens: Tensor
    targets: Tensor
    order: Tensor

    def batches(self, rng: random.Random, size: int) -> Iterator[Tensor]:
        """Endless batches of indexes; texts of like length share one."""
        lengths = self.tokens.argmax(1)
        while True:
            shuffled = rng.sample(range(len(self.order)), len(self.order))
            order = self.order[torch.tensor(shuffled, device=self.order.device)]
            for pool in torch.split(order, size * POOL):
                batches = list(torch.split(pool[lengths[pool].argsort()], size))
                rng.shuffle(batches)
                yield from batches


def distil(model: Any, lessons: Lessons, *, minutes: float, checkpoint: Path, seed: int = 0) -> None:
    """Train the text side; saves the model's state as it goes."""
    clock = Clock(minutes)
    optimizer = _optimizer(model)
    for step, chosen in enumerate(lessons.batches(random.Random(seed), BATCH), start=1):
        set_rate(optimizer, step, clock.share)
        loss = distillation_loss(unit(encode_text(model, lessons.tokens[chosen])), lessons.targets[chosen])
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(optimizer.param_groups[0]["params"], 1.0)
        optimizer.step()
        if step % LOG_STEPS == 0:
            logger.info("text %d: %.0f%%, loss %.4f", step, 100 * clock.share, loss.item())
        if step % CHECKPOINT_STEPS == 0 or clock.spent:
            torch.save(model.state_dict(), checkpoint)
        if clock.spent:
            return


def distillation_loss(given: Tensor, wanted: Tensor) -> Tensor:
    """Cosine distance to the targets, and the same neighbours in the batch; both unit rows (n, DIM)."""
    distance = 1 - (given * wanted).sum(1).mean()
    neighbours = (wanted @ wanted.T / TEMPERATURE).softmax(1)
    found = (given @ wanted.T / TEMPERATURE).log_softmax(1)
    return distance + 0.5 * functional.kl_div(found, neighbours, reduction="batchmean")


def text_parameters(model: Any) -> list[torch.nn.Parameter]:
    """Everything that `encode_text` uses."""
    return [weight for name, weight in model.named_parameters() if not name.startswith(("visual.", "logit_"))]


def _optimizer(model: Any) -> torch.optim.Optimizer:
    group = {"params": text_parameters(model), "peak": PEAK_RATE}
    return torch.optim.AdamW([group], lr=PEAK_RATE, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
