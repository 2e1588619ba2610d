"""A finished model as a folder that plain open_clip loads."""

from __future__ import annotations

from pathlib import Path

import torch

from kgbuild.clip import ClipParts, save_clip


def export_model(parts: ClipParts, folder: Path, *, dtype: torch.dtype = torch.float32) -> Path:
    """Write config and weights; `dtype` float16 halves the file, and reading widens it again.

    Load it by `open_clip.create_model_and_transforms("local-dir:FOLDER")` and `open_clip.get_tokenizer("local-dir:FOLDER")`.
    """
    save_clip(parts, folder, dtype=dtype)
    return folder
