"""Random variation of pictures, so that the picture tower learns what is drawn and not how one artist draws it."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Strength:
    """How far pictures are varied."""

    rotation: float = math.radians(14)
    zoom: tuple[float, float] = (0.95, 1.35)  # of the picture's side that the crop spans: above 1 the picture shrinks
    stretch: float = 0.12
    shift: float = 0.12
    gain: float = 0.16
    white_background: float = 0.6
    grey: float = 0.05
    erase: float = 0.15


def vary(pixels: Tensor, flippable: Tensor, strength: Strength, side: int) -> Tensor:
    """RGBA bytes (n, h, w, 4) to varied pictures (n, 3, side, side) in -1 to 1; `flippable` (n,) may be mirrored."""
    # Shrunk by whole pixels first: sampling every second point of a sharp picture would alias.
    flat = functional.avg_pool2d(_premultiplied(pixels), max(1, pixels.shape[1] // side))
    warped = functional.grid_sample(flat, _grid(flippable, strength, side), align_corners=False, padding_mode="zeros")
    colour = _coloured(warped[:, :3], strength)
    opened = 1 - warped[:, 3:]
    composed = (colour + _background(len(pixels), pixels.device, strength) * opened).clamp(0, 1)
    return _erased(composed, strength) * 2 - 1


def _premultiplied(pixels: Tensor) -> Tensor:
    """(n, 4, h, w) in 0 to 1; colour is scaled by alpha, or resampling would mix in invisible colours."""
    scaled = pixels.permute(0, 3, 1, 2).float() / 255
    return torch.cat([scaled[:, :3] * scaled[:, 3:], scaled[:, 3:]], 1)


def _grid(flippable: Tensor, strength: Strength, side: int) -> Tensor:
    count, device = len(flippable), flippable.device
    angle = _between(count, -strength.rotation, strength.rotation, device)
    zoom = _between(count, *strength.zoom, device)
    wide = zoom * (1 + _between(count, -strength.stretch, strength.stretch, device))
    mirrored = flippable & (torch.rand(count, device=device) < 0.5)
    sign = torch.where(mirrored, -1.0, 1.0)
    theta = torch.zeros(count, 2, 3, device=device)
    theta[:, 0, 0], theta[:, 0, 1] = sign * wide * torch.cos(angle), -zoom * torch.sin(angle)
    theta[:, 1, 0], theta[:, 1, 1] = sign * wide * torch.sin(angle), zoom * torch.cos(angle)
    theta[:, :, 2] = _between(2 * count, -strength.shift, strength.shift, device).view(count, 2)
    return functional.affine_grid(theta, [count, 4, side, side], align_corners=False)


def _coloured(colour: Tensor, strength: Strength) -> Tensor:
    count, device = len(colour), colour.device
    gain = 1 + _between(3 * count, -strength.gain, strength.gain, device).view(count, 3, 1, 1)
    varied = colour * gain
    grey = (torch.rand(count, 1, 1, 1, device=device) < strength.grey).float()
    return grey * varied.mean(1, keepdim=True) + (1 - grey) * varied


def _background(count: int, device: torch.device, strength: Strength) -> Tensor:
    tinted = 1 - 0.35 * torch.rand(count, 3, 1, 1, device=device)
    white = (torch.rand(count, 1, 1, 1, device=device) < strength.white_background).float()
    return white + (1 - white) * tinted


def _erased(pictures: Tensor, strength: Strength) -> Tensor:
    """Some pictures lose one square to a random shade."""
    count, side, device = len(pictures), pictures.shape[-1], pictures.device
    at = torch.rand(count, 2, device=device) * side
    half = torch.where(torch.rand(count, device=device) < strength.erase, side / 8, 0.0)[:, None, None]
    line = torch.arange(side, device=device)
    rows = (line[None, :, None] - at[:, 0, None, None]).abs() < half
    columns = (line[None, None, :] - at[:, 1, None, None]).abs() < half
    inside = (rows & columns)[:, None]
    return torch.where(inside, torch.rand(count, 3, 1, 1, device=device), pictures)


def _between(count: int, low: float, high: float, device: torch.device) -> Tensor:
    return low + (high - low) * torch.rand(count, device=device)
