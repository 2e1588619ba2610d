"""A tiny CLIP with random weights, written as a model folder: for tests that need an encoder and not its taste."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from kgbuild.clip import CONFIG_FILE, load_clip_parts, save_clip

TINY_VISION = {"image_size": [80, 60], "layers": 1, "width": 32, "head_width": 16, "patch_size": 20}


def tiny_config(
    *, dim: int = 16, vision: dict[str, object] | None = None, resize_mode: str = "longest"
) -> dict[str, object]:
    """An `open_clip_config.json` of a model that embeds a few hundred pictures a second on one core."""
    return {
        "model_cfg": {
            "embed_dim": dim,
            "vision_cfg": vision or TINY_VISION,
            "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
        },
        "preprocess_cfg": {
            "mean": [0.5, 0.5, 0.5],
            "std": [0.5, 0.5, 0.5],
            "interpolation": "bicubic",
            "resize_mode": resize_mode,
            "fill_color": 255,
        },
    }


def write_tiny_clip(folder: Path, *, seed: int = 0, **config: object) -> Path:
    """Write a model folder with weights drawn from `seed`; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG_FILE).write_text(json.dumps(tiny_config(**config)), "utf-8")  # type: ignore[arg-type]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        save_clip(load_clip_parts(str(folder), from_scratch=True), folder)
    return folder
