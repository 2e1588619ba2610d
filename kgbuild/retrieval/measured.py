"""What a protocol leaves open, what it asks, and what it found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from kgbuild.errors import ConfigError
from kgbuild.retrieval.corpus import Vectors
from kgbuild.retrieval.metrics import sum_r
from kgbuild.retrieval.ranks import Integers
from kgbuild.tables import TABLES, in_order


@dataclass(frozen=True)
class ProtocolSettings:
    """What a protocol leaves open.

    Args:
        field: which text stands for a product: `title`, or the name of another text column.
        attributes: attributes that `category_to_product` queries besides the levels of the category path.
        query_split: queries come from the products of this split only; the gallery is always the whole of `products`.
        draws: how often the sample protocol is repeated.
        n_queries: queries a draw and direction of the sample protocol.
        n_negatives: negatives a query of the sample protocol.
        negatives_level: how many levels of the category path make the sub-category negatives are drawn from.
        image_weight: weight of the image in a product vector of `category_to_product`.
    """

    field: str = "title"
    attributes: tuple[str, ...] = ()
    query_split: str | None = None
    draws: int = 5
    n_queries: int = 1_000
    n_negatives: int = 100
    negatives_level: int = 2
    image_weight: float = 0.9


@dataclass(frozen=True)
class Measured:
    """The metrics of one direction; `gallery` is its number of items."""

    direction: str
    metrics: Mapping[str, float]
    n_queries: int
    gallery: int


def both_directions(found: Sequence[Measured]) -> Measured:
    """SumR: the sum of R@1, R@5 and R@10 of both directions, in percent, 0-600."""
    recalls = [one.metrics[f"recall_at_{k}"] for one in found for k in (1, 5, 10)]
    queries, gallery = sum(one.n_queries for one in found), max(one.gallery for one in found)
    return Measured("both", {"sum_r": sum_r(*recalls)}, queries, gallery)


def products_asked(products: pa.Table, split: str | None) -> set[str]:
    """The products that queries come from: all, or those of a split. Raises ConfigError when the split has none."""
    ids = products["product_id"].to_pylist()
    if split is None:
        return set(ids)
    asked = {product for product, own in zip(ids, products["split"].to_pylist(), strict=True) if own == split}
    if not asked:
        known = ", ".join(sorted({str(own) for own in products["split"].unique().to_pylist()}))
        raise ConfigError(f"no product is of the split {split!r}", f"the splits are: {known}")
    return asked


def askable(queries: Vectors, gallery: Vectors, asked: set[str]) -> Integers:
    """The places of the queries that were asked for and have a relevant item. Raises ConfigError when there are none."""
    there = set(gallery.keys) & asked
    places = np.array([place for place, key in enumerate(queries.keys) if key in there], dtype=np.int64)
    if not len(places):
        raise ConfigError("no query has a relevant item in the gallery", "check the split, the field and the images")
    return places


def metric_rows(run_id: str, protocol: str, found: Iterable[Measured]) -> pa.Table:
    """Rows of the table `metrics`."""
    rows = [
        {
            "run_id": run_id, "protocol": protocol, "direction": one.direction, "metric": name, "value": value,
            "n_queries": one.n_queries, "gallery": one.gallery,
        }
        for one in found
        for name, value in one.metrics.items()
    ]  # fmt: skip
    return in_order(pa.Table.from_pylist(rows, schema=TABLES["metrics"].schema), "metrics")
