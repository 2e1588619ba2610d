"""The category path as concepts: which there are, which product has which, and which is above which."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kgbuild.hierarchy.names import CATEGORY, COOCCURRENCE, Claim, Name, NameOf, lower_bound
from kgbuild.hierarchy.partial_paths import completed
from kgbuild.hierarchy.said import Ints

MAJORITY: Final = 0.6
"""The lower bound that the share of a hyponym's products in a category must reach for the category to be its hypernym."""


@dataclass(frozen=True)
class Categories:
    """Category concepts, and for each product (a row of `at`) the number of its concept at each level, -1 where it has none.

    `told`: what is above concepts that no path places, the products that say so and their share.
    """

    names: list[Name]
    products: list[str]
    at: Ints
    told: Mapping[int, tuple[int, int, float]] = field(default_factory=dict)

    def levels(self, products: Sequence[str]) -> Ints:
        """(products, levels) the concepts of some products, -1 also where a product is not known."""
        row = pc.index_in(pa.array(products, pa.string()), value_set=pa.array(self.products, pa.string()))
        known = row.is_valid().to_numpy(zero_copy_only=False)
        levels = np.full((len(products), self.at.shape[1]), -1, np.int64)
        levels[known] = self.at[row.drop_null().to_numpy()]
        return levels

    def deepest(self) -> Iterator[tuple[str, Name]]:
        """Each product with a category, and the finest one."""
        for product, levels in zip(self.products, self.at.tolist(), strict=True):
            here = [node for node in levels if node >= 0]
            if here:
                yield product, self.names[here[-1]]

    def roots(self) -> list[int]:
        """The concepts at the first level."""
        first = self.at[:, 0] if self.at.shape[1] else np.zeros(0, np.int64)
        return [int(node) for node in np.unique(first[first >= 0])]

    def claims(self) -> list[Claim]:
        """What is above each category concept that is not at the first level."""
        roots = set(self.roots())
        by_path = [
            Claim(self.names[node], self.names[high], CATEGORY, support, share)
            for node, rows in self.rows_of()
            if node not in roots and node not in self.told
            for high, support, share in home(self._above(node, rows))
        ]
        return by_path + [
            Claim(self.names[node], self.names[high], COOCCURRENCE, support, share)
            for node, (high, support, share) in self.told.items()
        ]

    def rows_of(self) -> Iterator[tuple[int, Ints]]:
        """Each concept with the rows of its products."""
        row, level = np.nonzero(self.at >= 0)
        node, row = np.divmod(np.unique(self.at[row, level] * len(self.at) + row), max(len(self.at), 1))
        found, starts = np.unique(node, return_index=True)
        if len(found):
            yield from zip(found.tolist(), np.split(row, starts[1:]), strict=True)

    def _above(self, node: int, rows: Ints) -> Ints:
        """The levels of some products of a concept that stand before it, -1 from it on."""
        levels = self.at[rows]
        return np.where(np.arange(levels.shape[1]) < (levels == node).argmax(axis=1)[:, None], levels, -1)


def read_categories(products: pa.Table, name_of: NameOf, *, min_products: int) -> Categories:
    """The categories with enough products; names that come to the same concept are one ("Dress" and "Dresses").

    A path that begins with what mostly stands deeper ("Tshirts" alone) is completed from other products' paths. Paths of one level
    alone say no domains, only kinds: then all stand below the concept `product`.
    """
    ordered = products.select(["product_id", "category_path"]).sort_by("product_id")
    paths = ordered["category_path"].combine_chunks()
    written = pc.unique(pc.list_flatten(paths)).to_pylist()
    names = {one: Name(*name_of(one)) for one in written}
    names = {one: name for one, name in names.items() if name.head}
    depth = pc.max(pc.list_value_length(paths)).as_py() or 0
    distinct = sorted(set(names.values()))
    number = {name: place for place, name in enumerate(distinct)}
    node_of = {one: number[name] for one, name in names.items()}
    at = np.full((len(paths), depth), -1, np.int64)
    for row, path in enumerate(paths.to_pylist()):
        for level, one in enumerate(path):
            at[row, level] = node_of.get(one, -1)
    at = completed(at)
    enough = [node for node, rows in Categories(distinct, [], at).rows_of() if len(rows) >= min_products]
    renumbered = np.full(len(distinct) + 1, -1, np.int64)  # the last place serves -1
    renumbered[enough] = np.arange(len(enough))
    distinct, at = [distinct[node] for node in enough], renumbered[at]
    if depth == 1 and len(distinct) > 1:
        distinct, at = _below_product(distinct, at)
    return Categories(distinct, ordered["product_id"].to_pylist(), at)


def _below_product(names: Sequence[Name], at: Ints) -> tuple[list[Name], Ints]:
    product = Name("product")
    with_product = [*names, product] if product not in names else list(names)
    first = np.where(at >= 0, with_product.index(product), -1)
    return with_product, np.concatenate([first, at], axis=1)


def home(levels: Ints) -> list[tuple[int, int, float]]:
    """Where the products of a hyponym are at home: (concept, products there, their share) of the deepest level with a clear majority.

    `levels` has a row for each product and a column for each level. A product that says nothing at a level does not count there, but a
    level of which most say nothing is none of theirs. Without a clear majority anywhere it is the commonest concept of the
    first level; empty when no product says anything.
    """
    best: list[tuple[int, int, float]] = []
    speaking = int((levels >= 0).any(axis=1).sum())
    for column in levels.T:
        here = column[column >= 0]
        if not len(here) or 2 * len(here) < speaking:
            continue
        times = np.bincount(here)
        node = int(times.argmax())  # the first of the commonest: names ascend
        if not best or lower_bound(int(times[node]), len(here)) >= MAJORITY:
            best = [(node, int(times[node]), float(times[node] / len(here)))]
    return best
