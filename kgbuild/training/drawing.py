"""Rows of a global batch -> tensors of this process's slice, drawn so that they depend on seed, epoch and step alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kgbuild.clip import ClipParts
from kgbuild.config import TrainingConfig
from kgbuild.training.augment import augment_with, draw_augmentations
from kgbuild.training.concept_bank import ConceptBank
from kgbuild.training.data import PictureCache, Row, row_keys, row_rng
from kgbuild.training.distributed import Workers
from kgbuild.training.model import normalised_pixels
from kgbuild.training.views import ProductText, draw_views


@dataclass(frozen=True)
class Batch:
    """b rows of this process, among B of the global batch."""

    pixels: Tensor
    """(b, 3, h, w) normalised."""
    tokens: Tensor
    """(views * b, context): all rows in their first view, then in their second."""
    keys: Tensor
    """(B, 3) product, title and picture of all rows."""
    slots: Tensor
    """(B, C) concept numbers of all rows, -1 for none."""
    first_row: int
    step: int


@dataclass(frozen=True)
class Drawing:
    """What turns rows into tensors."""

    settings: TrainingConfig
    parts: ClipParts
    pictures: PictureCache
    bank: ConceptBank | None
    seed: int
    device: torch.device
    workers: Workers

    def batch(self, rows: list[Row], epoch: int, step: int) -> Batch:
        """This process's slice of a global batch."""
        share = len(rows) // self.workers.n_workers
        first = share * self.workers.worker_index
        own = rows[first : first + share]
        # drawn for the whole batch, so that a row is augmented alike whatever the number of processes
        draws = draw_augmentations(len(rows), torch.Generator().manual_seed(mix(self.seed, step, -1)))[
            first : first + share
        ]
        rows = rows[: share * self.workers.n_workers]
        slots = torch.full((len(rows), 0), -1)
        if self.bank is not None:
            slots = self.bank.slots(rows, max((len(row["concept_ids"] or ()) for row in rows), default=0))
        return Batch(
            pixels=self.pixels([row["sha256"] for row in own], draws if self.settings.augment else None),
            tokens=self.tokens(self._texts(own, epoch)),
            keys=torch.tensor([row_keys(row) for row in rows], dtype=torch.int64, device=self.device),
            slots=slots,
            first_row=first,
            step=step,
        )

    def pixels(self, sha256s: list[str], draws: Tensor | None = None) -> Tensor:
        """(n, 3, h, w) normalised pixels of pictures, augmented when there are `draws` (n, 16)."""
        raw = torch.from_numpy(self.pictures.take(sha256s)).to(self.device)
        pictures = raw.permute(0, 3, 1, 2).float() / 255
        return normalised_pixels(self.parts, pictures if draws is None else augment_with(pictures, draws))

    def tokens(self, texts: list[str]) -> Tensor:
        """(n, context) tokens."""
        return self.parts.tokenizer(texts).to(self.device)

    def _texts(self, rows: list[Row], epoch: int) -> list[str]:
        count = self.settings.text_views
        if count == 0:
            return [row["text"] for row in rows]
        drawn = [draw_views(_product_text(row), count, row_rng(self.seed, epoch, row)) for row in rows]
        return [views[number] for number in range(count) for views in drawn]


def made_ahead(make: Callable[..., Batch], jobs: Iterator[tuple[Any, ...]], *, in_background: bool) -> Iterator[Batch]:
    """`make(*job)` for each job, in order; in the background one batch is made while the accelerator works on the last."""
    if not in_background:
        yield from (make(*job) for job in jobs)
        return
    with ThreadPoolExecutor(max_workers=1) as thread:
        pending: deque[Future[Batch]] = deque()
        for job in jobs:
            pending.append(thread.submit(make, *job))
            if len(pending) > 1:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def mix(*numbers: int) -> int:
    """One 63-bit seed from several numbers, each -1 or more."""
    return int(np.random.SeedSequence([number + 1 for number in numbers]).generate_state(1, np.uint64)[0] >> 1)


def _product_text(row: dict[str, Any]) -> ProductText:
    labels = [label for label in (row.get("concept_labels") or ()) if label]
    facts = dict.fromkeys([*(row["facts"] or ()), *labels])
    return ProductText(row["text"], row["title"] or "", row["brand"] or "", tuple(row["clauses"] or ()), tuple(facts))
