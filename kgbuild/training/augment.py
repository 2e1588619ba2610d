"""Changes to a batch of pictures at once, each picture with its own draw: flip, small crop and turn, light and colour, a blank patch."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def augment_pictures(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Augmented copies of (n, 3, h, w) pictures in [0, 1]; what falls outside is filled from the border.

    The draws depend on the generator and n alone, so a slice of a larger batch is augmented as in that batch when `n` covers it.
    """
    return augment_with(pictures, draw_augmentations(pictures.shape[0], generator))


def draw_augmentations(n: int, generator: torch.Generator) -> Tensor:
    """(n, 16) uniform numbers in [0, 1) that decide what `augment_with` does to each of n pictures."""
    return torch.rand((n, 16), generator=generator)


def augment_with(pictures: Tensor, draws: Tensor) -> Tensor:
    """`pictures` (n, 3, h, w) in [0, 1], each changed as its row of `draws` (n, 16) says."""
    draws = draws.to(pictures.device)
    moved = F.grid_sample(
        pictures,
        F.affine_grid(_affine(draws), list(pictures.shape), align_corners=False),
        padding_mode="border",
        align_corners=False,
    )
    return _erase(_recolour(moved, draws), draws)


def _affine(draws: Tensor) -> Tensor:
    """(n, 2, 3): mirror half of the pictures, zoom 0.75-1.05 with aspect 0.93-1.07, turn up to 6 degrees, shift within the zoom."""
    mirror = torch.where(draws[:, 0] < 0.5, -1.0, 1.0)
    zoom = 0.75 + 0.30 * draws[:, 1]
    aspect = torch.exp((draws[:, 2] - 0.5) * 0.14)
    angle = (draws[:, 3] - 0.5) * (12 * math.pi / 180)
    room = (1.06 - zoom).clamp(min=0)
    rows = [
        torch.stack([mirror * zoom * aspect * angle.cos(), -zoom * angle.sin(), (2 * draws[:, 4] - 1) * room], dim=1),
        torch.stack([mirror * zoom * angle.sin(), zoom / aspect * angle.cos(), (2 * draws[:, 5] - 1) * room], dim=1),
    ]
    return torch.stack(rows, dim=1)


def _recolour(pictures: Tensor, draws: Tensor) -> Tensor:
    """Brightness and contrast by up to a fifth, each channel by up to 4 %: colour names must survive."""
    brightness = (0.8 + 0.4 * draws[:, 6])[:, None, None, None]
    contrast = (0.8 + 0.4 * draws[:, 7])[:, None, None, None]
    tint = (0.96 + 0.08 * draws[:, 8:11])[:, :, None, None]
    mean = pictures.mean(dim=(1, 2, 3), keepdim=True)
    return (((pictures - mean) * contrast + mean) * brightness * tint).clamp(0, 1)


def _erase(pictures: Tensor, draws: Tensor) -> Tensor:
    """A third of the pictures lose a rectangle of up to a tenth of their area to a grey."""
    height, width = pictures.shape[-2:]
    rows = torch.arange(height, device=pictures.device)[None, :]
    columns = torch.arange(width, device=pictures.device)[None, :]
    tall, wide = (0.1 + 0.25 * draws[:, 11:12]) * height, (0.1 + 0.25 * draws[:, 12:13]) * width
    top, left = draws[:, 13:14] * (height - tall), draws[:, 14:15] * (width - wide)
    inside = ((rows >= top) & (rows < top + tall))[:, :, None] & ((columns >= left) & (columns < left + wide))[
        :, None, :
    ]
    chosen = (draws[:, 15] < 1 / 3)[:, None, None]
    return pictures.masked_fill((inside & chosen)[:, None], 0.5)
