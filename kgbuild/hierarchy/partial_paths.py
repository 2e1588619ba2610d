"""Category paths that lack their upper levels: "Tshirts" alone, or "Topwear > Tshirts" without "Apparel".

Levels are integers, (products, levels): the number of a product's category at each level, -1 where it has none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

import numpy as np

from kgbuild.hierarchy.said import Ints

ELSEWHERE: Final = 0.25
"""Of a category that stands alone in paths, so large a share of products elsewhere tells its place: not one watch among free gifts."""


def completed(at: Ints) -> Ints:
    """The levels of all products; before a category at the first level that stands deeper, the commonest path to it.

    It stands deeper if most products have it so, or a quarter of them and no other has anything below it.
    """
    changed = bool(at.shape[1])
    while changed:
        changed = False
        for node in _deeper(at):
            mine = np.flatnonzero(at[:, 0] == node)
            deeper = at[(at == node).any(axis=1) & (at[:, 0] != node)]
            if not len(deeper):
                continue  # an earlier one took its place
            path = _commonest(tuple(row[: row.index(node)]) for row in deeper.tolist())
            mine = mine[~np.isin(at[mine], [one for one in path if one >= 0]).any(axis=1)]
            if len(mine):
                at, changed = _put(at, mine, np.concatenate([[path] * len(mine), at[mine]], axis=1)), True
    return at


def put_below(at: Ints, rows: Ints, node: int, above: int) -> Ints:
    """The levels with `node` alone in these rows put below the commonest path that leads to `above`."""
    level = int((at == above).any(axis=0).argmax())
    path = _commonest(map(tuple, at[at[:, level] == above][:, : level + 1].tolist()))
    return _put(at, rows, np.array([[*path, node]] * len(rows), np.int64)) if len(rows) else at


def _deeper(at: Ints) -> list[int]:
    """The categories at the first level of some paths that stand deeper."""
    n = int(at.max(initial=-1)) + 1
    own = at[:, 0]
    first = np.bincount(own[own >= 0], minlength=n)
    broad = np.bincount(own[(own >= 0) & (at[:, 1:] >= 0).any(axis=1)], minlength=n) > 0
    row, level = np.nonzero(at >= 0)
    rows = np.bincount(np.unique(at[row, level] * len(at) + row) // max(len(at), 1), minlength=n)
    mostly = np.where(broad, 2 * first < rows, first <= (1 - ELSEWHERE) * rows)
    return [int(node) for node in np.flatnonzero((first > 0) & mostly)]


def _commonest(paths: Iterable[tuple[int, ...]]) -> tuple[int, ...]:
    """The first by number of the commonest."""
    times = Counter(paths)
    return min(times, key=lambda path: (-times[path], path))


def _put(at: Ints, rows: Ints, levels: Ints) -> Ints:
    """The levels with others in some rows, as wide as needed."""
    width = max(at.shape[1], int(np.flatnonzero((levels >= 0).any(axis=0)).max(initial=-1)) + 1)
    wider = np.full((len(at), width), -1, np.int64)
    wider[:, : at.shape[1]] = at
    wider[rows] = -1
    wider[rows, : min(width, levels.shape[1])] = levels[:, :width]
    return wider
