"""ITC, symmetric InfoNCE over text-image pairs, and CVA, the concept-visual alignment of FashionKLIP.

The gathered form: every process holds its own rows (b of B) and the gathered embeddings of all processes (B); the sum over
the processes of what is returned here is the loss of the global batch.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

_NEVER = float("-inf")


def itc_loss(
    images: Tensor,
    texts: Tensor,
    scale: Tensor,
    *,
    all_images: Tensor | None = None,
    all_texts: Tensor | None = None,
    first_row: int = 0,
    same: Tensor | None = None,
) -> Tensor:
    """Symmetric InfoNCE of b local pairs against B gathered ones.

    Args:
        images: (b, d) L2-normalised image embeddings of this process.
        texts: (b, d) L2-normalised text embeddings; row i belongs to row i of `images`.
        scale: factor on the cosines (the exp of logit_scale).
        all_images: (B, d) gathered from all processes; the local ones when absent.
        all_texts: (B, d) likewise.
        first_row: where the local rows begin among the gathered ones.
        same: (b, B) bool, pairs that are the same product, title or picture and so no negatives; the pair itself always counts.

    Returns:
        The mean over the B pairs of both directions, this process's share of it (all of it for one process).
    """
    all_images = images if all_images is None else all_images
    all_texts = texts if all_texts is None else all_texts
    own = torch.arange(images.shape[0], device=images.device) + first_row
    to_texts = scale * images @ all_texts.T
    to_images = scale * texts @ all_images.T
    if same is not None:
        ignored = same.clone()
        ignored[torch.arange(own.numel(), device=own.device), own] = False
        to_texts = to_texts.masked_fill(ignored, _NEVER)
        to_images = to_images.masked_fill(ignored, _NEVER)
    total = F.cross_entropy(to_texts, own, reduction="sum") + F.cross_entropy(to_images, own, reduction="sum")
    return total / (2 * all_images.shape[0])


def same_pairs(local_keys: Tensor, all_keys: Tensor) -> Tensor:
    """(b, B) bool: rows that share any key. Keys are (b, n) and (B, n) int64: product, title, picture; column by column."""
    return (local_keys[:, None, :] == all_keys[None, :, :]).any(dim=-1)


def cva_loss(
    images: Tensor,
    concepts: Tensor,
    prototypes: Tensor,
    prototype_mask: Tensor,
    scale: Tensor,
    *,
    related: Tensor,
    k: int,
    selection: Tensor | None = None,
) -> Tensor:
    """Concept-visual alignment: each concept's text against the prototypes that are most like the image of its row.

    With B rows, C concept slots a row and P prototypes a concept:

    - s[b, c, j] is the cosine of image b and prototype j of slot c; the K largest stay, the larger first (rank k);
    - w[b, c, k] = s[b, c, k] / sqrt(sum over b' of s[b', c, k]^2) and a[c, k] = sum_b w[b, c, k] / sum_{k', b} w[b, c, k'], both
      constants; a negative cosine weighs nothing;
    - Z[c, k] = scale * P[c, k] E[c]^T over the rows that have the slot and the rank; l[c, k] is the mean of the cross-entropies of Z
      and Z^T against the diagonal, each weighted by w;
    - the loss is the mean over the slots that any row has of sum_k a[c, k] l[c, k].

    Padding takes part in nothing: neither as a row, nor as a negative, nor in a denominator.

    Args:
        images: (B, d) L2-normalised image embeddings; only weights are taken from them.
        concepts: (B, C, d) L2-normalised embeddings of the concepts' prompts.
        prototypes: (B, C, P, d) L2-normalised embeddings of their prototypes; gradients flow to them.
        prototype_mask: (B, C, P) bool, False where there is no such prototype (or no such concept).
        scale: factor on the cosines.
        related: (C, B, B) bool, pairs of rows whose concepts in that slot are the same or one above the other: no negatives.
        k: prototypes a slot that enter (K); fewer where a concept has fewer.
        selection: (B, C, K) indices of prototypes from `nearest_prototypes`; found here when absent.

    Returns:
        A scalar; zero, with gradient zero, when there is no prototype at all.
    """
    if selection is None:
        selection = nearest_prototypes(images, prototypes, prototype_mask, k=k)
    chosen = prototypes.gather(2, selection[..., None].expand(-1, -1, -1, prototypes.shape[-1]))
    present = prototype_mask.gather(2, selection)
    weights, shares = _cva_weights(images.detach(), chosen.detach(), present)
    losses = []
    for slot in range(concepts.shape[1]):
        if not present[:, slot].any():
            continue
        ranks = [
            shares[slot, rank]
            * _weighted_alignment(
                chosen[:, slot, rank],
                concepts[:, slot],
                weights[:, slot, rank],
                present[:, slot, rank],
                related[slot],
                scale,
            )
            for rank in range(chosen.shape[2])
            if present[:, slot, rank].any()
        ]
        losses.append(torch.stack(ranks).sum())
    return torch.stack(losses).mean() if losses else (concepts.sum() + prototypes.sum()) * 0.0


def nearest_prototypes(images: Tensor, prototypes: Tensor, prototype_mask: Tensor, *, k: int) -> Tensor:
    """(B, C, min(k, P)) places of the prototypes most like the row's image, the most like first; missing ones come last."""
    similarity = torch.einsum("bd,bcpd->bcp", images.detach(), prototypes.detach())
    ranked = similarity.masked_fill(~prototype_mask, _NEVER).argsort(dim=-1, descending=True, stable=True)
    return ranked[..., :k]


def cva_share(itc: float, cva: float, *, at_most: float) -> float:
    """The weight g of CVA in (1 - g) ITC + g CVA: a fifth of ITC / CVA, a constant, in [0, at_most]; 0 when CVA is 0."""
    return min(at_most, max(0.0, itc / (5.0 * cva))) if cva > 0 else 0.0


def _cva_weights(images: Tensor, chosen: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
    """The weights w (B, C, K) and a (C, K); rows that are absent weigh nothing."""
    similarity = torch.einsum("bd,bckd->bck", images, chosen).clamp(min=0) * present
    # if no image is like its prototype at all, the rows count alike instead of not at all
    similarity = torch.where(similarity.sum(dim=0, keepdim=True) > 0, similarity, present.to(similarity.dtype))
    tiny = torch.finfo(similarity.dtype).tiny
    weights = similarity / similarity.square().sum(dim=0, keepdim=True).sqrt().clamp(min=tiny)
    per_rank = weights.sum(dim=0)
    return weights, per_rank / per_rank.sum(dim=-1, keepdim=True).clamp(min=tiny)


def _weighted_alignment(
    pictures: Tensor, words: Tensor, weights: Tensor, present: Tensor, related: Tensor, scale: Tensor
) -> Tensor:
    """l[c, k]: both directions of the weighted cross-entropy among the present rows, related rows left out of the negatives."""
    rows = present.nonzero().squeeze(1)
    pictures, words, weights = pictures[rows], words[rows], weights[rows]
    own = torch.arange(rows.numel(), device=rows.device)
    ignored = related[rows][:, rows]
    ignored[own, own] = False
    logits = scale * pictures @ words.T
    both = F.cross_entropy(logits.masked_fill(ignored, _NEVER), own, reduction="none") + F.cross_entropy(
        logits.T.masked_fill(ignored.T, _NEVER), own, reduction="none"
    )
    return (weights * both).sum() / (2 * weights.sum())
