"""The two towers within a step: embeddings, and the losses on what all processes have gathered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn import functional as F

from kgbuild.config import TrainingConfig
from kgbuild.training.concept_bank import ConceptBank
from kgbuild.training.distributed import Workers, gather
from kgbuild.training.drawing import Batch, Drawing, mix
from kgbuild.training.losses import cva_loss, itc_loss, nearest_prototypes, same_pairs
from kgbuild.training.model import encode_texts

RefreshPrototypes = Callable[[torch.nn.Module], pa.Table]
"""Given the current model in evaluation mode, a fresh `prototypes` table."""

_PICTURES_A_PASS = 256


@dataclass(frozen=True)
class Towers:
    """The model that is being trained, with what feeds it."""

    model: Any
    drawing: Drawing
    settings: TrainingConfig
    workers: Workers

    def images(self, pixels: Tensor) -> Tensor:
        """(n, d) L2-normalised float32 embeddings of pictures."""
        with self._autocast(pixels):
            embeddings = self.model.encode_image(pixels)
        return F.normalize(embeddings.float(), dim=-1)

    def texts(self, tokens: Tensor) -> Tensor:
        """(n, d) L2-normalised float32 embeddings of texts."""
        with self._autocast(tokens):
            embeddings = encode_texts(self.model, tokens)
        return F.normalize(embeddings.float(), dim=-1)

    def itc(self, images: Tensor, all_images: Tensor, batch: Batch, scale: Tensor) -> Tensor:
        """The mean over the text views of ITC; this process's share of it."""
        own = batch.keys[batch.first_row : batch.first_row + images.shape[0]]
        same = same_pairs(own, batch.keys)
        losses = [
            itc_loss(
                images,
                view,
                scale,
                all_images=all_images,
                all_texts=gather(view, self.workers),
                first_row=batch.first_row,
                same=same,
            )
            for view in self.texts(batch.tokens).split(images.shape[0])
        ]
        return torch.stack(losses).mean()

    def cva(self, images: Tensor, all_images: Tensor, batch: Batch, bank: ConceptBank, scale: Tensor) -> Tensor:
        """CVA of the global batch. Every process encodes the prompts and prototypes of its own rows; all compute the same number.

        The prototypes nearest to a row's image are found by this epoch's embeddings; `cva_encoded` of the pictures found, drawn anew
        each step, are encoded by the current model, so that the image tower learns from them too.
        """
        own = batch.slots[batch.first_row : batch.first_row + images.shape[0]]
        places = bank.prototypes[own.clamp(min=0)]
        mask = (own >= 0)[:, :, None] & (places >= 0)
        device = images.device
        if places.numel() == 0 or not bool((batch.slots >= 0).any()):
            return images.sum() * 0.0
        vectors = bank.embeddings[places.clamp(min=0)].to(device)
        nearest = nearest_prototypes(images, vectors, mask.to(device), k=self.settings.cva_prototypes).cpu()
        places, mask = places.gather(2, nearest), mask.gather(2, nearest)
        prototypes = self._prototypes(places, mask, bank, batch.step).to(device)
        numbers, inverse = own.clamp(min=0).unique(return_inverse=True)
        prompts = self.texts(self.drawing.tokens([bank.prompts[number] for number in numbers.tolist()]))
        return cva_loss(
            all_images,
            gather(prompts[inverse.to(device)], self.workers),
            gather(prototypes, self.workers),
            gather(mask.to(device=device, dtype=torch.uint8), self.workers).bool(),
            scale,
            related=bank.related(batch.slots).to(device),
            k=self.settings.cva_prototypes,
        )

    def _prototypes(self, places: Tensor, mask: Tensor, bank: ConceptBank, step: int) -> Tensor:
        """(b, C, K, d): embeddings of this epoch, and among them freshly encoded ones."""
        found = places[mask].unique()
        draw = torch.Generator().manual_seed(mix(self.drawing.seed, step, self.workers.worker_index, 1))
        chosen = found[torch.randperm(found.numel(), generator=draw)[: self.settings.cva_encoded]].sort().values
        kept = bank.embeddings[places.clamp(min=0)].to(self.drawing.device)
        if chosen.numel() == 0:
            return kept
        fresh = self.images(self.drawing.pixels([bank.pictures[place] for place in chosen.tolist()]))
        where = torch.full((len(bank.pictures),), -1)
        where[chosen] = torch.arange(chosen.numel())
        row = torch.where(mask, where[places.clamp(min=0)], -1).to(kept.device)
        return torch.where((row >= 0)[..., None], fresh[row.clamp(min=0)], kept)

    def embed_pictures(self, sha256s: list[str]) -> Tensor:
        """(n, d) embeddings on the CPU by the model in evaluation mode, the pictures as they are; the processes share the work."""
        self.model.eval()
        share = -(-len(sha256s) // self.workers.n_workers)
        own = (sha256s + sha256s[-1:] * share)[share * self.workers.worker_index :][:share]
        with torch.no_grad():
            parts = [
                self.images(self.drawing.pixels(own[start : start + _PICTURES_A_PASS]))
                for start in range(0, len(own), _PICTURES_A_PASS)
            ]
            rows = torch.cat(parts) if parts else torch.zeros((0, 1), device=self.drawing.device)
            return gather(rows, self.workers)[: len(sha256s)].cpu()

    def _autocast(self, like: Tensor) -> torch.autocast:
        return torch.autocast(like.device.type, dtype=torch.bfloat16, enabled=self.settings.precision == "bf16")


def refresh(bank: ConceptBank, refresh_prototypes: RefreshPrototypes | None, towers: Towers) -> None:
    """Give the bank the prototypes of the current model (the first process asks for them, all get them), and their embeddings."""
    if refresh_prototypes is not None:
        towers.model.eval()
        told: list[Any] = [None]
        if towers.workers.first:
            with torch.no_grad():
                table = refresh_prototypes(towers.model)
            told = [table.select(["concept_id", "prototype_rank", "image_id"]).to_pydict()]
        if towers.workers.n_workers > 1:
            dist.broadcast_object_list(told, src=0)
        bank.show(pa.table(told[0]))
    bank.embed(towers.embed_pictures)
