"""The trainer, from top to bottom: open, make, restore; then for each epoch and batch: draw, forward, losses, step; then export."""

from __future__ import annotations

import copy
import dataclasses
import json
import math
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from kgbuild.clip import ClipParts, load_clip_parts, pick_device
from kgbuild.config import TrainingConfig
from kgbuild.errors import ModelError
from kgbuild.identity import fingerprint
from kgbuild.training.checkpoints import load_newest, save_checkpoint
from kgbuild.training.concept_bank import open_bank
from kgbuild.training.data import (
    PictureCache,
    ShardSet,
    batches_an_epoch,
    build_picture_cache,
    epoch_batches,
    open_shards,
)
from kgbuild.training.distributed import Workers, gather, join_workers, sum_gradients, sum_value, wait_for_all
from kgbuild.training.drawing import Drawing, made_ahead, mix
from kgbuild.training.export_model import export_model
from kgbuild.training.log import StepReport, start_log, write_log
from kgbuild.training.losses import cva_share
from kgbuild.training.model import picture_geometry, picture_size
from kgbuild.training.towers import RefreshPrototypes, Towers, refresh


@dataclass(frozen=True)
class TrainingResult:
    """What a finished run left behind."""

    model_folder: Path
    steps: int
    epochs: int
    loss: float
    resumed_at_step: int


def train(  # noqa: C901 - the trainer is one function that is read from top to bottom
    settings: TrainingConfig,
    shards: Path,
    out: Path,
    *,
    seed: int,
    refresh_prototypes: RefreshPrototypes | None = None,
    on_step: Callable[[StepReport], None] | None = None,
    resume: bool = True,
) -> TrainingResult:
    """Train on exported batches and leave a model folder that plain open_clip loads.

    Under `torchrun` every process calls this; the batch is that of all processes together. Batch normalisation is over all processes
    on GPUs, and over each process's own rows on CPUs, where PyTorch cannot do otherwise.

    Args:
        settings: the `training` section of the config.
        shards: the folder that `batches.export_batches` wrote.
        out: receives `checkpoints/`, `log.jsonl`, `cache/` and at the end `model/`.
        seed: of weights, order, views and augmentation.
        refresh_prototypes: called at the start of each epoch for prototypes by the current model; without it those of the shards stay.
        on_step: told of every step.
        resume: go on from the newest checkpoint; it continues bit for bit as if it had never stopped (on CPU).

    Raises:
        TableError: the shards are absent or damaged.
        ModelError: the model cannot be made, or the checkpoints belong to another run.
    """
    device = pick_device(settings.device)
    workers = join_workers(device)
    shard_set = open_shards(shards)
    batch_size = settings.batch_size or int(shard_set.manifest["batch_size"])
    per_epoch = batches_an_epoch(shard_set, batch_size=batch_size, window_rows=settings.shuffle_rows)
    _check_sizes(shard_set, batch_size, per_epoch, workers)
    torch.manual_seed(seed)
    parts = load_clip_parts(settings.model, from_scratch=settings.from_scratch)
    pictures = _pictures(shard_set, parts, out, workers)
    bank = open_bank(shard_set) if settings.cva else None

    model: Any = parts.model.to(device).to(memory_format=torch.channels_last)
    if workers.n_workers > 1 and device.type == "cuda":
        model = torch.nn.SyncBatchNorm.convert_sync_batchnorm(model)
    averaged: Any = copy.deepcopy(model).eval().requires_grad_(False)
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = _optimizer(model, settings)
    steps = per_epoch * settings.epochs
    run = fingerprint([dataclasses.asdict(settings) | {"device": "", "keep_checkpoints": 0}, shard_set.manifest, seed])
    first_step, last_loss = 0, math.nan
    if resume and (state := load_newest(out / "checkpoints", run=run)):
        model.load_state_dict(state["model"])
        averaged.load_state_dict(state["averaged"])
        optimizer.load_state_dict(state["optimizer"])
        if bank is not None:
            bank.restore(state["bank"])
        first_step, last_loss = state["step"], state["loss"]
    if workers.first:
        start_log(out / "log.jsonl", first_step)
        if not resume:
            shutil.rmtree(out / "checkpoints", ignore_errors=True)
    wait_for_all(workers)

    drawing = Drawing(settings, parts, pictures, bank, seed, device, workers)
    towers = Towers(model, drawing, settings, workers)
    step = first_step
    for epoch in range(first_step // per_epoch, settings.epochs):
        if bank is not None and step == epoch * per_epoch:  # else the checkpoint brought this epoch's
            refresh(bank, refresh_prototypes, towers)
        batches = epoch_batches(
            shard_set, batch_size=batch_size, window_rows=settings.shuffle_rows, seed=seed, epoch=epoch
        )
        coming = ((rows, epoch, at) for at, rows in enumerate(islice(batches, step - epoch * per_epoch, None), step))
        began = time.perf_counter()
        for batch in made_ahead(drawing.batch, coming, in_background=device.type == "cuda"):
            rate = _learning_rate(settings, step, steps)
            for group in optimizer.param_groups:
                group["lr"] = rate
            torch.manual_seed(mix(seed, step, workers.worker_index))  # dropout: a resumed run draws the same
            model.train()
            scale = model.logit_scale.exp()
            images = towers.images(batch.pixels)
            all_images = gather(images, workers)
            itc = towers.itc(images, all_images, batch, scale)  # this process's share of the loss
            cva, share = torch.zeros(()), 0.0
            if bank is not None:
                cva = towers.cva(images, all_images, batch, bank, scale)  # the whole, the same in every process
                whole_itc = float(sum_value(itc, workers))
                share = cva_share(whole_itc, float(cva.detach()), at_most=settings.cva_max_weight)
            loss = (1 - share) * itc + share * cva / workers.n_workers
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            sum_gradients(parameters, workers)
            if settings.clip_gradient > 0:
                torch.nn.utils.clip_grad_norm_(parameters, settings.clip_gradient)
            optimizer.step()
            with torch.no_grad():
                model.logit_scale.clamp_(0.0, math.log(100.0))
                _average(averaged, model, settings.ema_decay, step)
            step += 1
            last_loss = float(sum_value(loss, workers))
            if not math.isfinite(last_loss):
                raise ModelError(f"the loss became {last_loss} at step {step}", "lower training.learning_rate")
            whole_itc = float(sum_value(itc, workers))
            if workers.first:
                report = StepReport(
                    step=step,
                    steps=steps,
                    epoch=epoch,
                    loss=last_loss,
                    itc=whole_itc,
                    cva=float(cva.detach()),
                    cva_weight=share,
                    prototypes_missing=bank.missing if bank is not None else 0,
                    learning_rate=rate,
                    pairs_per_second=batch_size / (time.perf_counter() - began),
                )
                write_log(out / "log.jsonl", report)
                if on_step is not None:
                    on_step(report)
            if workers.first and (step % settings.checkpoint_steps == 0 or step % per_epoch == 0):
                state = {
                    "run": run,
                    "step": step,
                    "loss": last_loss,
                    "model": model.state_dict(),
                    "averaged": averaged.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "bank": bank.state() if bank is not None else {},
                }
                save_checkpoint(out / "checkpoints", step, state, keep=settings.keep_checkpoints)
            began = time.perf_counter()
    if workers.first:
        export_model(dataclasses.replace(parts, model=averaged), out / "model")
    wait_for_all(workers)
    return TrainingResult(out / "model", steps, settings.epochs, last_loss, first_step)


def _check_sizes(shard_set: ShardSet, batch_size: int, per_epoch: int, workers: Workers) -> None:
    if per_epoch == 0:
        raise ModelError(
            f"{shard_set.folder} has {shard_set.n_rows} pairs, fewer than one batch of {batch_size}",
            "set training.batch_size lower",
        )
    if batch_size % workers.n_workers:
        raise ModelError(
            f"a batch of {batch_size} does not divide among {workers.n_workers} processes",
            "set training.batch_size to a multiple",
        )


def _pictures(shard_set: ShardSet, parts: ClipParts, out: Path, workers: Workers) -> PictureCache:
    if not workers.first:
        wait_for_all(workers)  # the first process fills the cache
    cache = build_picture_cache(
        shard_set,
        out / "cache",
        size=picture_size(parts),
        geometry=picture_geometry(parts),
        geometry_key=json.dumps(parts.preprocess_cfg, sort_keys=True, default=list),
    )
    if workers.first:
        wait_for_all(workers)
    return cache


def _optimizer(model: torch.nn.Module, settings: TrainingConfig) -> torch.optim.AdamW:
    decayed: list[torch.nn.Parameter] = []
    free: list[torch.nn.Parameter] = []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            (free if parameter.ndim < 2 or "positional_embedding" in name else decayed).append(parameter)
    groups = [{"params": decayed, "weight_decay": settings.weight_decay}, {"params": free, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=settings.learning_rate, betas=(0.9, 0.98), eps=1e-6)


def _learning_rate(settings: TrainingConfig, step: int, steps: int) -> float:
    warmup = min(settings.warmup_steps, steps // 2)
    if step < warmup:
        return settings.learning_rate * (step + 1) / warmup
    return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def _average(averaged: torch.nn.Module, model: torch.nn.Module, decay: float, step: int) -> None:
    """Move the averaged weights and buffers towards the model's; quickly at first, so that the random start is forgotten."""
    weight = 1 - min(decay, (1 + step) / (10 + step)) if decay > 0 else 1.0
    for kept, current in zip(averaged.state_dict().values(), model.state_dict().values(), strict=True):
        if kept.is_floating_point():
            kept.lerp_(current, weight)
        else:
            kept.copy_(current)
