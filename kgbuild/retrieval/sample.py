"""FashionGen's sample protocol, variant A (FashionViL, FAME-ViL): each query has a small gallery of its own, drawn at random."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kgbuild.retrieval.corpus import Vectors
from kgbuild.retrieval.measured import Measured, ProtocolSettings, askable, both_directions, products_asked
from kgbuild.retrieval.metrics import all_metrics
from kgbuild.retrieval.ranks import Floats, Integers, rank_first_column


def sample_protocol(
    products: pa.Table, texts: Vectors, images: Vectors, seed: int, settings: ProtocolSettings
) -> list[Measured]:
    """Variant A: a gallery of one positive and 100 negatives for each of 1,000 queries, five draws, mean and sd."""
    groups = _sub_categories(products, settings.negatives_level)
    directions = (("image_to_text", images, texts), ("text_to_image", texts, images))
    drawn: list[list[Measured]] = []
    for draw in range(settings.draws):
        found = []
        for number, (name, queries, gallery) in enumerate(directions):
            asked = askable(queries, gallery, products_asked(products, settings.query_split))
            rng = np.random.default_rng([seed, draw, number])
            chosen = rng.permutation(asked)[: settings.n_queries]
            places = _sample_galleries(queries, gallery, chosen, groups, rng, settings.n_negatives)
            ranked = rank_first_column(_own_similarities(queries.take(chosen), gallery, places))
            found.append(Measured(name, all_metrics(ranked), len(chosen), places.shape[1]))
        drawn.append([*found, both_directions(found)])
    return [_over_draws(list(same)) for same in zip(*drawn, strict=True)]


def _sample_galleries(
    queries: Vectors,
    gallery: Vectors,
    chosen: Integers,
    groups: Mapping[str, str],
    rng: np.random.Generator,
    n_negatives: int,
) -> Integers:
    """(n, 1 + m) places in the gallery: a random positive, then negatives of another product; -1 where none was left."""
    owners = np.array(gallery.keys)
    kinds = np.array([groups.get(key, "") for key in gallery.keys])
    by_owner, by_kind = _places_by(owners), _places_by(kinds)
    places = np.full((len(chosen), 1 + n_negatives), -1, dtype=np.int64)
    for row, query in enumerate(chosen):
        product = queries.keys[query]
        own = by_owner[product]
        near = _drawn(by_kind.get(groups.get(product, ""), own), own, n_negatives, rng)
        if len(near) < n_negatives:
            far = np.flatnonzero(kinds != groups.get(product, ""))
            near = np.concatenate([near, _drawn(far, own, n_negatives - len(near), rng)])
        places[row, 0] = rng.choice(own)
        places[row, 1 : 1 + len(near)] = near
    return places[:, (places >= 0).any(axis=0)]


def _drawn(pool: Integers, own: Integers, count: int, rng: np.random.Generator) -> Integers:
    """`count` of `pool` without replacement and without `own`; all of them when there are fewer."""
    others = np.setdiff1d(pool, own, assume_unique=True)
    return others if len(others) <= count else rng.choice(others, count, replace=False)


def _own_similarities(queries: Vectors, gallery: Vectors, places: Integers) -> Floats:
    """(n, m) cosine of each query with the items of its own gallery; -inf where there is none."""
    table = np.empty(places.shape, dtype=np.float64)
    for row, own in enumerate(places):
        table[row] = gallery.embeddings[own].astype(np.float64) @ queries.embeddings[row].astype(np.float64)
    table[places < 0] = -np.inf
    return table


def _over_draws(same: Sequence[Measured]) -> Measured:
    """Mean and standard deviation (n - 1) over the draws."""
    metrics: dict[str, float] = {}
    for name in same[0].metrics:
        values = [one.metrics[name] for one in same]
        metrics[name] = float(np.mean(values))
        metrics[f"{name}_sd"] = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return Measured(same[0].direction, metrics, same[0].n_queries, same[0].gallery)


def _sub_categories(products: pa.Table, level: int) -> dict[str, str]:
    """product_id -> the first `level` parts of its category path."""
    paths = zip(products["product_id"].to_pylist(), products["category_path"].to_pylist(), strict=True)
    return {product: "\x1f".join(path[:level]) for product, path in paths}


def _places_by(values: npt.NDArray[np.str_]) -> dict[str, Integers]:
    """Value -> its places, ascending."""
    order = np.argsort(values, kind="stable")
    distinct, firsts = np.unique(values[order], return_index=True)
    return dict(zip(distinct.tolist(), np.split(order, firsts[1:]), strict=True))
