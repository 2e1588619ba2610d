"""Concepts and images -> candidate_pools: for each concept the pictures most like it, among those of its products."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kgbuild.ports import Embeddings
from kgbuild.tables import in_order, reject_rows
from kgbuild.vectors import Places, Similarities, as_matrix, exact_similarities, float32_error, search_top_k

_CONCEPTS: Final = 4096  # concepts whose products are worked out at once: bounds memory


@dataclass(frozen=True)
class _Gallery:
    """Images that have an embedding, ordered by id; `picture` numbers the distinct sha256."""

    ids: pa.Array
    product: npt.NDArray[np.int64]
    picture: npt.NDArray[np.int64]
    matrix: Embeddings


def build_candidate_pools(
    concepts: pa.Table,
    product_concepts: pa.Table,
    hierarchy_closure: pa.Table,
    images: pa.Table,
    concept_embeddings: pa.Table,
    image_embeddings: pa.Table,
    *,
    pool_size: int,
    gate: bool,
) -> pa.Table:
    """The `pool_size` images most similar to each concept, exactly; ties by image id.

    May be called with any part of the concepts; the other tables must then still be whole. Pictures of the same bytes count once, as
    the least of their image ids. A concept or image without an embedding, and a concept without images, has no rows.

    Args:
        concepts: rows of the table `concepts`.
        product_concepts: which products mention which concept.
        hierarchy_closure: (hyponym_id, hypernym_id) of every path up the hierarchy; further columns are ignored.
        images: the table `images`.
        concept_embeddings: embeddings by concept_id.
        image_embeddings: embeddings by image_id.
        pool_size: images a concept, at most.
        gate: only images of products that mention the concept or one below it.
    """
    gallery, products = _gallery(images, image_embeddings)
    known = pc.index_in(concepts["concept_id"].combine_chunks(), value_set=concept_embeddings["id"].combine_chunks())
    places = known.drop_null().to_numpy(zero_copy_only=False).astype(np.int64)
    ids = concepts["concept_id"].combine_chunks().filter(known.is_valid())
    queries = as_matrix(concept_embeddings)[places] if len(places) else np.empty((0, 0), np.float32)
    parts = [np.empty((4, 0))]
    if not gate:
        parts += [_ungated(queries, gallery, pool_size)]
    else:
        for start in range(0, len(ids), _CONCEPTS):
            mine = ids.slice(start, _CONCEPTS)
            allowed = _allowed_images(mine, product_concepts, hierarchy_closure, gallery, products)
            parts += [_gated(queries[start : start + _CONCEPTS], allowed, gallery, pool_size, first=start)]
    concept, rank, image, relevance = np.concatenate(parts, axis=1)
    pools = {
        "concept_id": ids.take(pa.array(concept.astype(np.int64))),
        "pool_rank": pa.array(rank.astype(np.int32)),
        "image_id": gallery.ids.take(pa.array(image.astype(np.int64))),
        "relevance": pa.array(relevance.astype(np.float32)),
    }
    return in_order(pa.table(pools), "candidate_pools")


def concepts_without_images(concepts: pa.Table, candidate_pools: pa.Table) -> pa.Table:
    """The concepts that got no candidate, as rows of `rejects` (stage prototypes, reason no_image)."""
    found = pc.is_in(concepts["concept_id"], value_set=pc.unique(candidate_pools["concept_id"]))
    lacking = concepts.filter(pc.invert(found)).select(["concept_id", "label"]).to_pylist()
    rows = [
        (row["concept_id"], "no_image", f"no picture of a product that mentions {row['label']!r}") for row in lacking
    ]
    return in_order(reject_rows("prototypes", rows), "rejects")


def _gallery(images: pa.Table, image_embeddings: pa.Table) -> tuple[_Gallery, pa.Array]:
    ordered = images.select(["image_id", "product_id", "sha256"]).sort_by("image_id")
    places = pc.index_in(ordered["image_id"].combine_chunks(), value_set=image_embeddings["id"].combine_chunks())
    own = ordered.filter(places.is_valid())
    rows = places.drop_null().to_numpy(zero_copy_only=False).astype(np.int64)
    product = pc.dictionary_encode(own["product_id"].combine_chunks())
    picture = pc.dictionary_encode(own["sha256"].combine_chunks())
    matrix = as_matrix(image_embeddings)
    matrix = matrix if len(rows) == len(matrix) and np.array_equal(rows, np.arange(len(rows))) else matrix[rows]
    return (
        _Gallery(own["image_id"].combine_chunks(), _codes(product.indices), _codes(picture.indices), matrix),
        product.dictionary,
    )


def _codes(places: pa.Array) -> npt.NDArray[np.int64]:
    return places.to_numpy(zero_copy_only=False).astype(np.int64)


def _ungated(queries: Embeddings, gallery: _Gallery, pool_size: int) -> npt.NDArray[np.float64]:
    _, first = np.unique(gallery.picture, return_index=True)
    first = np.sort(first)  # one image a picture, still ordered by id
    places, similarities = search_top_k(queries, gallery.matrix[first], k=pool_size)
    concept, rank = np.indices(places.shape)
    return np.stack([concept.ravel(), rank.ravel(), first[places.ravel()], similarities.ravel()])


def _gated(
    queries: Embeddings, allowed: tuple[Places, Places], gallery: _Gallery, pool_size: int, *, first: int
) -> npt.NDArray[np.float64]:
    offsets, images = allowed
    parts = [np.empty((4, 0))]
    for row, (low, high) in enumerate(pairwise(offsets)):
        if low == high:
            continue
        places, similarities = _top(queries[row], images[low:high], gallery.matrix, pool_size)
        parts.append(
            np.stack(
                [np.full(len(places), first + row), np.arange(len(places)), places, similarities.astype(np.float64)]
            )
        )
    return np.concatenate(parts, axis=1)


def _top(query: Embeddings, images: Places, matrix: Embeddings, k: int) -> tuple[Places, Similarities]:
    """The k of `images` (ascending places) most similar to one query: roughly first, then exactly where it matters."""
    if len(images) > k:
        rough = matrix[images] @ query
        least = np.partition(rough, len(rough) - k)[len(rough) - k]
        images = images[rough >= least - 2 * float32_error(len(query))]
    similarities = exact_similarities(query, matrix[images])
    order = np.lexsort((images, -similarities))[:k]
    return images[order], similarities[order]


def _allowed_images(
    concept_ids: pa.Array, product_concepts: pa.Table, closure: pa.Table, gallery: _Gallery, products: pa.Array
) -> tuple[Places, Places]:
    """For each concept the places of its images, ascending, one a picture: (offsets (n + 1,), places)."""
    above = _pairs(closure["hyponym_id"], closure["hypernym_id"], concept_ids)
    below = pa.concat_arrays([above[0], concept_ids])
    concept = np.concatenate([above[1], np.arange(len(concept_ids))])
    mention_concepts, mention_products = (
        product_concepts[name].combine_chunks() for name in ("concept_id", "product_id")
    )
    names = pc.unique(below)
    # concepts by the concept that is mentioned, then by its products, then by their images: each a join of sorted integers
    mentioned = _known(pc.index_in(mention_concepts, value_set=names))
    product = _known(pc.index_in(mention_products, value_set=products))
    usable = (mentioned >= 0) & (product >= 0)
    left, right = _join(_known(pc.index_in(below, value_set=names)), mentioned[usable])
    concept, product = _distinct(concept[left], product[usable][right], len(products))
    left, image = _join(product, gallery.product)
    concept, image = _one_per_picture(concept[left], image, gallery.picture)
    return np.searchsorted(concept, np.arange(len(concept_ids) + 1)), image


def _pairs(low: pa.ChunkedArray, high: pa.ChunkedArray, concept_ids: pa.Array) -> tuple[pa.Array, Places]:
    places = pc.index_in(high.combine_chunks(), value_set=concept_ids)
    return low.combine_chunks().filter(places.is_valid()), _codes(places.drop_null())


def _known(places: pa.Array) -> Places:
    return _codes(pc.fill_null(places, -1))


def _join(left: Places, right: Places) -> tuple[Places, Places]:
    """All (i, j) with left[i] == right[j]."""
    order = np.argsort(right, kind="stable")
    ordered = right[order]
    low, high = np.searchsorted(ordered, left), np.searchsorted(ordered, left, side="right")
    counts = high - low
    rows = np.repeat(np.arange(len(left)), counts)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return rows, order[np.repeat(low, counts) + within]


def _distinct(concept: Places, other: Places, count: int) -> tuple[Places, Places]:
    keys = np.unique(concept * max(count, 1) + other)
    return keys // max(count, 1), keys % max(count, 1)


def _one_per_picture(concept: Places, image: Places, picture: npt.NDArray[np.int64]) -> tuple[Places, Places]:
    """Of the images of a concept that show the same picture only the first; ordered by concept and image."""
    order = np.lexsort((image, picture[image], concept))
    concept, image = concept[order], image[order]
    shown = picture[image]
    first = np.ones(len(image), np.bool_)
    first[1:] = (concept[1:] != concept[:-1]) | (shown[1:] != shown[:-1])
    concept, image = concept[first], image[first]
    order = np.lexsort((image, concept))
    return concept[order], image[order]
