"""Learning rates over time, and the running average of weights that training ends with."""

import copy
import math
import time

import torch
from torch import nn

WARM_UP_STEPS = 100


class Clock:
    """Training time as a share of its budget: schedules that follow it end well on any machine."""

    def __init__(self, minutes: float) -> None:
        self._budget_s = minutes * 60
        self._started = time.monotonic()

    @property
    def share(self) -> float:
        """0 at the start, 1 when the budget is spent."""
        return min(1.0, (time.monotonic() - self._started) / self._budget_s)

    @property
    def spent(self) -> bool:
        """Whether training should stop."""
        return self.share >= 1


def set_rate(optimizer: torch.optim.Optimizer, step: int, share: float) -> None:
    """Linear warm-up over steps, then a cosine down to nothing over the budget; groups keep their own peak."""
    scale = min(1.0, (step + 1) / WARM_UP_STEPS) * 0.5 * (1 + math.cos(math.pi * share))
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * scale


class Average:
    """An exponential moving average of a model's weights and buffers."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model = copy.deepcopy(model).eval().requires_grad_(requires_grad=False)
        self._decay = decay
        self._steps = 0

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Take in one step; the first ones weigh more, so that the start is forgotten early."""
        self._steps += 1
        decay = min(self._decay, (1 + self._steps) / (10 + self._steps))
        for kept, fresh in zip(self.model.state_dict().values(), model.state_dict().values(), strict=True):
            if kept.is_floating_point():
                kept.lerp_(fresh, 1 - decay)
            else:
                kept.copy_(fresh)
