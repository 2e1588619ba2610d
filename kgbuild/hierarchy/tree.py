"""The tree view as lines to read: the largest roots, and below each concept the largest that have it as primary hypernym."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

import pyarrow as pa

from kgbuild.hierarchy.dag import primary_hypernyms, roots


class Line(NamedTuple):
    """A concept in the tree: how deep (the root is 0), its label and products, and how many of the concepts right below are not shown."""

    depth: int
    label: str
    n_products: int
    more: int


def tree_lines(
    concepts: pa.Table, edges: pa.Table, *, n_roots: int, depth: int, width: int, top: str | None = None
) -> Iterator[Line]:
    """At most `n_roots` trees, `depth` levels below each root, `width` concepts below each; the largest first, ties by id.

    With `top`, a concept id, the one tree that hangs from it.
    """
    columns = (concepts[name].to_pylist() for name in ("concept_id", "label", "n_products"))
    known = {one: (label, n) for one, label, n in zip(*columns, strict=True)}
    below: dict[str, list[str]] = defaultdict(list)
    primary = primary_hypernyms(concepts, edges)
    for low, high in zip(primary["hyponym_id"].to_pylist(), primary["hypernym_id"].to_pylist(), strict=True):
        below[high].append(low)

    def lines(one: str, level: int) -> Iterator[Line]:
        shown = sorted(below[one], key=lambda low: (-known[low][1], low))[:width] if level < depth else []
        yield Line(level, *known[one], len(below[one]) - len(shown))
        for low in shown:
            yield from lines(low, level + 1)

    for root in [top] if top else roots(concepts, edges)[:n_roots]:
        yield from lines(root, 0)
