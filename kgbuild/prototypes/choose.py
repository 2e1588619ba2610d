"""The whole stage on one screen: pools, then prototypes."""

from __future__ import annotations

import pyarrow as pa

from kgbuild.prototypes.pools import build_candidate_pools
from kgbuild.prototypes.select import select_prototypes


def choose_prototypes(
    concepts: pa.Table,
    product_concepts: pa.Table,
    hierarchy_closure: pa.Table,
    images: pa.Table,
    concept_embeddings: pa.Table,
    image_embeddings: pa.Table,
    *,
    pool_size: int,
    k: int,
    mmr_lambda: float,
    gate: bool,
    duplicate_similarity: float,
) -> tuple[pa.Table, pa.Table]:
    """(candidate_pools, prototypes); the keywords are the fields of `config.PrototypesConfig`."""
    pools = build_candidate_pools(
        concepts,
        product_concepts,
        hierarchy_closure,
        images,
        concept_embeddings,
        image_embeddings,
        pool_size=pool_size,
        gate=gate,
    )
    prototypes = select_prototypes(
        pools, image_embeddings, images, k=k, mmr_lambda=mmr_lambda, duplicate_similarity=duplicate_similarity
    )
    return pools, prototypes
