"""The rough half of `search_top_k` in torch, on a CPU or a GPU."""

from __future__ import annotations

import torch

from kgbuild.ports import Embeddings
from kgbuild.vectors import Coarse, Places, Similarities


def torch_coarse(device: torch.device) -> Coarse:
    """A rough search on `device`, for `search_top_k(..., coarse=torch_coarse(device))`.

    Sums are in float32 without TF32, as the error bound of `search_top_k` asks.
    """

    def search(queries: Embeddings, gallery: Embeddings, m: int) -> tuple[Places, Similarities]:
        allowed = torch.backends.cuda.matmul.allow_tf32
        torch.backends.cuda.matmul.allow_tf32 = False
        try:
            left, right = (torch.from_numpy(part).to(device) for part in (queries, gallery))
            similarities, places = (left @ right.T).topk(m, dim=1, sorted=False)
        finally:
            torch.backends.cuda.matmul.allow_tf32 = allowed
        return places.cpu().numpy(), similarities.cpu().numpy()

    return search
