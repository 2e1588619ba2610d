"""Categories that no path places, "Eye Cream" alone: they stand where most of the products do that titles call so."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import islice
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kgbuild.hierarchy.categories import Categories
from kgbuild.hierarchy.category_names import as_said
from kgbuild.hierarchy.names import Name, NameOf
from kgbuild.hierarchy.partial_paths import ELSEWHERE, put_below
from kgbuild.hierarchy.said import Bools, Ints, Said

_ENOUGH: Final = 2  # products that titles call so; a category stands somewhere, so more is not asked


def placed_by_titles(
    categories: Categories, said: Said, name_of: NameOf, *, nodes: Collection[int] | None = None
) -> Categories:
    """The categories with a place, told by titles, for those whose products have nothing but them.

    Args:
        categories: from `read_categories`, under their written names.
        said: the mentions.
        name_of: reads the parts of "Salwar and Dupatta", which a title must have all.
        nodes: which categories to place; without it those that stand alone in every path, if most paths have more.
    """
    alone = (categories.at >= 0).sum(axis=1) == 1
    rows_of = dict(categories.rows_of())
    if nodes is None:
        several = int(((categories.at >= 0).sum(axis=1) > 1).sum())
        most = 2 * several > int((categories.at >= 0).any(axis=1).sum())
        nodes = [node for node in categories.roots() if alone[rows_of[node]].all()] if most else []
    if not nodes:
        return categories
    owns = [rows_of.get(node, np.zeros(0, np.int64)) for node in nodes]
    parts = [_parts(categories.names[node], name_of) for node in nodes]
    sizes = [len(own) for own, some in zip(owns, parts, strict=True) for _ in some]
    names = iter(as_said([part for some in parts for part in some], sizes, said))
    levels = categories.levels(said.products)
    levels = np.where(np.isin(levels, list(nodes)), -1, levels)
    at, told = categories.at, {}
    for node, own, some in zip(nodes, owns, parts, strict=True):
        products = _called(said, list(islice(names, len(some))))
        there = products[(levels[products] >= 0).any(axis=1)]
        place = _most(levels[there]) if len(there) >= max(_ENOUGH, ELSEWHERE * len(products)) else None
        if place:
            told[node] = place
            at = put_below(at, own, node, place[0])
    return replace(categories, at=at, told=told)


def _parts(name: Name, name_of: NameOf) -> list[Name]:
    """The names that "Salwar and Dupatta" counts up, or the name."""
    return [name] if name.modifiers else [Name(*name_of(part)) for part in name.head.split(" and ")]


def _called(said: Said, parts: Sequence[Name]) -> Ints:
    """The products whose title calls them so: its name is a kind of the one part, or it has all of several."""
    naming = said.title if len(parts) > 1 else said.title & said.first_names
    found = [_products(said, naming, part) for part in parts]
    together = found[0]
    for products in found[1:]:
        together = np.intersect1d(together, products)
    return together


def _products(said: Said, naming: Bools, name: Name) -> Ints:
    """Products with one of some mentions that has this head and at least these modifiers."""
    if name.head not in said.heads:
        return np.zeros(0, np.int64)
    rows = np.flatnonzero(naming & (said.head == said.heads.index(name.head)))
    if name.modifiers:
        units = said.modifiers.take(pa.array(rows))
        wanted = pc.is_in(pc.list_flatten(units), value_set=pa.array(name.modifiers, pa.string()))
        owners = pc.list_parent_indices(units).to_numpy()[wanted.to_numpy(zero_copy_only=False)]
        rows = rows[np.bincount(owners, minlength=len(rows)) == len(name.modifiers)]
    return np.unique(said.product[rows])


def _most(levels: Ints) -> tuple[int, int, float] | None:
    """(category, products, share) of the deepest level at which more than half of the products have the same one."""
    best = None
    for column in levels.T:
        here = column[column >= 0]
        if 2 * len(here) <= len(levels):
            continue
        times = np.bincount(here)
        node = int(times.argmax())  # the first of the commonest: names ascend
        if 2 * times[node] > len(here):
            best = node, int(times[node]), float(times[node] / len(here))
    return best
