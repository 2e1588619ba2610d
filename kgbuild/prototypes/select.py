"""candidate_pools -> prototypes: a few relevant and diverse pictures for each concept."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kgbuild.errors import TableError
from kgbuild.ports import Embeddings
from kgbuild.prototypes.mmr import choose_diverse
from kgbuild.tables import in_order
from kgbuild.vectors import as_matrix

_SAME: Final = 2.0  # similarity of two images with the same bytes: above any cosine, so above any duplicate_similarity


def select_prototypes(
    candidate_pools: pa.Table,
    image_embeddings: pa.Table,
    images: pa.Table,
    *,
    k: int,
    mmr_lambda: float,
    duplicate_similarity: float,
) -> pa.Table:
    """Choose at most k prototypes of each concept from its pool by MMR (`choose_diverse`); ties by image id.

    Two images of the same bytes, or more similar than `duplicate_similarity`, are never both chosen, so there may be fewer than k.
    `redundancy` is the largest similarity to a prototype chosen before, 0.0 for the first.

    Raises:
        TableError: a candidate has no embedding, or is no image.
    """
    # by image id within a concept, so that the first of equals is the least id
    pools = candidate_pools.sort_by([("concept_id", "ascending"), ("image_id", "ascending")])
    place = _places(pools["image_id"], image_embeddings["id"], "embedding")
    owner = _places(pools["image_id"], images["image_id"], "row in images")
    picture = pc.dictionary_encode(images["sha256"].combine_chunks()).indices.to_numpy(zero_copy_only=False)[owner]
    relevance = pools["relevance"].to_numpy()
    matrix = as_matrix(image_embeddings)
    concept = pc.dictionary_encode(pools["concept_id"].combine_chunks()).indices.to_numpy(zero_copy_only=False)
    bounds = np.flatnonzero(np.diff(concept, prepend=-1, append=-1)).tolist()
    rows: list[int] = []
    ranks: list[int] = []
    redundancies: list[float] = []
    for low, high in pairwise(bounds):
        similarity = _similarity(matrix[place[low:high]])
        similarity[picture[low:high, None] == picture[None, low:high]] = _SAME
        chosen, redundancy = choose_diverse(
            relevance[low:high], similarity, k=k, mmr_lambda=mmr_lambda, duplicate_similarity=duplicate_similarity
        )
        rows += [low + index for index in chosen]
        ranks += range(len(chosen))
        redundancies += redundancy
    taken = pools.take(pa.array(rows, pa.int64()))
    prototypes = {
        "concept_id": taken["concept_id"],
        "prototype_rank": pa.array(ranks, pa.int32()),
        "image_id": taken["image_id"],
        "relevance": taken["relevance"],
        "redundancy": pa.array(redundancies, pa.float32()),
    }
    return in_order(pa.table(prototypes), "prototypes")


def _similarity(rows: Embeddings) -> Embeddings:
    """(n, n) cosines of L2-normalised rows; summed in float64, so that rounding them forgets the order of the sum."""
    wide = rows.astype(np.float64)
    similarity: Embeddings = (wide @ wide.T).astype(np.float32)
    return similarity


def _places(wanted: pa.ChunkedArray, known: pa.ChunkedArray, what: str) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    places = pc.index_in(wanted.combine_chunks(), value_set=known.combine_chunks())
    if places.null_count:
        absent = wanted.combine_chunks().filter(places.is_null())[0].as_py()
        raise TableError(
            f"{places.null_count} candidates have no {what}, the first is {absent}", "build the pools again"
        )
    return places.to_numpy(zero_copy_only=False).astype(np.int64)
