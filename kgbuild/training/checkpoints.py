"""Checkpoints that are whole or absent: written under another name, then renamed; the newest ones stay."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from kgbuild.errors import ModelError


def save_checkpoint(folder: Path, step: int, state: dict[str, Any], *, keep: int) -> Path:
    """Write `state` as `step-00000123.pt` under `folder` and remove all but the `keep` newest."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"step-{step:08d}.pt"
    partial = path.with_suffix(".partial")
    with partial.open("wb") as stream:
        torch.save(state, stream)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(path)
    for old in sorted(folder.glob("step-*.pt"))[:-keep]:
        old.unlink()
    return path


def load_newest(folder: Path, *, run: str) -> dict[str, Any] | None:
    """The newest checkpoint under `folder`, or None when there is none.

    Raises:
        ModelError: it belongs to other settings, data or seed than `run` names.
    """
    paths = sorted(folder.glob("step-*.pt"))
    if not paths:
        return None
    state: dict[str, Any] = torch.load(paths[-1], map_location="cpu", weights_only=True)
    if state["run"] != run:
        raise ModelError(
            f"{paths[-1]} comes from another run: its settings, its shards or its seed differ from this one's",
            "train into another folder, or start over with resume off",
        )
    return state
