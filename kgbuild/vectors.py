"""Embedding tables as matrices and back, and exact nearest neighbours whose result no block size, thread count or device changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kgbuild.errors import TableError
from kgbuild.ports import Embeddings
from kgbuild.tables import conform

Places = npt.NDArray[np.int64]
Similarities = npt.NDArray[np.float32]
Coarse = Callable[[Embeddings, Embeddings, int], tuple[Places, Similarities]]
"""(queries, gallery, m) -> places and float32 similarities of the m best of each query, in any order."""

_QUERIES: Final = 256
_SLACK: Final = 8


def as_matrix(embeddings: pa.Table) -> Embeddings:
    """The column `embedding` as an (n, d) float32 matrix; (0, 0) when there are no rows.

    Raises:
        TableError: the rows differ in length.
    """
    chunks = [chunk for chunk in embeddings["embedding"].chunks if len(chunk)]
    if not chunks:
        return np.empty((0, 0), np.float32)
    flat = [np.asarray(chunk.flatten().to_numpy(zero_copy_only=False), np.float32) for chunk in chunks]
    dim = len(flat[0]) // len(chunks[0])
    lengths = [chunk.value_lengths().to_numpy(zero_copy_only=False) for chunk in chunks]
    if any(np.any(length != dim) for length in lengths):
        raise TableError("the embeddings differ in length", "they come from more than one model: embed again")
    return (flat[0] if len(flat) == 1 else np.concatenate(flat)).reshape(-1, dim)


def embedding_rows(ids: pa.Array | Sequence[str], matrix: Embeddings) -> pa.Table:
    """A table (id, embedding) from ids and an (n, d) float32 matrix."""
    count, dim = matrix.shape
    offsets = pa.array(np.arange(0, (count + 1) * dim, dim) if dim else np.zeros(count + 1, np.int64), pa.int32())
    values = pa.array(np.ascontiguousarray(matrix, np.float32).reshape(-1), pa.float32())
    ids = pa.array(ids, pa.string()) if not isinstance(ids, pa.Array) else ids
    return pa.table({"id": ids, "embedding": pa.ListArray.from_arrays(offsets, values)})


def embedding_table(
    name: str, ids: pa.Array | Sequence[str], matrix: Embeddings, *, model: str, fingerprint: str
) -> pa.Table:
    """The table `name` (image_embeddings or concept_embeddings) of these rows, with model, dim and fingerprint in its metadata."""
    about = {"model": model, "dim": str(matrix.shape[1]), "fingerprint": fingerprint}
    return conform(embedding_rows(ids, matrix).replace_schema_metadata(about), name)


def exact_similarities(queries: Embeddings, rows: Embeddings) -> Similarities:
    """Inner products of float32 vectors along the last axis, summed in float64 and then rounded: the same in any company.

    Shapes broadcast as in `queries * rows`. Products of float32 numbers are exact in float64 and the sum of each row is
    taken by itself, so what is rounded to float32 depends on the two vectors alone.
    """
    products = queries.astype(np.float64) * rows.astype(np.float64)
    return products.sum(axis=-1).astype(np.float32)


def float32_error(dim: int) -> float:
    """A bound on how far a float32 inner product of two unit vectors may be off, in whatever order it is summed."""
    unit = dim * 2.0**-24
    return unit / (1 - unit) + 2.0**-23


def search_top_k(
    queries: Embeddings, gallery: Embeddings, *, k: int, block_rows: int = 16384, coarse: Coarse | None = None
) -> tuple[Places, Similarities]:
    """The k most similar gallery rows of each query, best first, ties by gallery place: exact, in flat memory.

    Blocks are searched roughly (float32, any summation order); whatever the rough error leaves possible is computed again
    by `exact_similarities`, so the result is the same for every block size and device.

    Args:
        queries: (q, d) float32, rows L2-normalised.
        gallery: (n, d) float32, rows L2-normalised.
        k: how many; min(k, n) columns come back.
        block_rows: gallery rows a block.
        coarse: the rough search; numpy by default (`kgbuild.embeddings.torch_coarse` for a GPU).

    Returns:
        places (q, min(k, n)) int64 and similarities, likewise, float32.
    """
    k = min(k, len(gallery))
    if k == 0 or len(queries) == 0:
        return np.empty((len(queries), k), np.int64), np.empty((len(queries), k), np.float32)
    parts = [
        _search_block(queries[start : start + _QUERIES], gallery, k, block_rows, coarse or numpy_coarse)
        for start in range(0, len(queries), _QUERIES)
    ]
    return np.concatenate([places for places, _ in parts]), np.concatenate([found for _, found in parts])


def numpy_coarse(queries: Embeddings, gallery: Embeddings, m: int) -> tuple[Places, Similarities]:
    """The rough search on the CPU."""
    similarities = queries @ gallery.T
    if m == len(gallery):
        return np.broadcast_to(np.arange(m), similarities.shape), similarities
    places = np.argpartition(similarities, len(gallery) - m, axis=1)[:, len(gallery) - m :]
    return places, np.take_along_axis(similarities, places, axis=1)


def _search_block(
    queries: Embeddings, gallery: Embeddings, k: int, block_rows: int, coarse: Coarse
) -> tuple[Places, Similarities]:
    best = np.empty((len(queries), 0), np.int64)
    found = np.empty((len(queries), 0), np.float32)
    for start in range(0, len(gallery), block_rows):
        block = gallery[start : start + block_rows]
        places, similarities = _exact_block(queries, block, k, coarse)
        best, found = _merge(
            np.concatenate([best, places + start], axis=1), np.concatenate([found, similarities], axis=1), k
        )
    return best, found


def _exact_block(queries: Embeddings, block: Embeddings, k: int, coarse: Coarse) -> tuple[Places, Similarities]:
    """The exact top k of one block for each query."""
    m = min(len(block), k + _SLACK)
    places, rough = coarse(queries, block, m)
    similarities = exact_similarities(queries[:, None, :], block[places])
    places, similarities = _merge(places, similarities, k)
    if m == len(block):
        return places, similarities
    # What the rough search left out is at most as similar as the least of what it kept, give or take its error.
    unsure = rough.min(axis=1) + 2 * float32_error(block.shape[1]) >= similarities[:, -1]
    if np.any(unsure):
        places, similarities = places.copy(), similarities.copy()
    for row in np.flatnonzero(unsure):
        everything = exact_similarities(queries[row], block)[None]
        places[row], similarities[row] = (part[0] for part in _merge(np.arange(len(block))[None], everything, k))
    return places, similarities


def _merge(places: Places, similarities: Similarities, k: int) -> tuple[Places, Similarities]:
    order = np.lexsort((places, -similarities), axis=1)[:, :k]
    return np.take_along_axis(places, order, axis=1), np.take_along_axis(similarities, order, axis=1)
