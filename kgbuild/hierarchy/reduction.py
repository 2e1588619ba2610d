"""Transitive reduction of any is-a edges: those a longer path says already are left out."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from kgbuild.hierarchy.numbered import Ints, NumberedEdges, distinct, expand, found_in


def transitive_reduction(edges: pa.Table) -> pa.Table:
    """The rows of `edges` that no longer path replaces, in the order they had; raises TableError on a cycle.

    Of a concept's hypernyms, those reached from another of them are superfluous. All searches upwards go on together, step by step;
    none passes a concept that stands no lower (by its longest path to a root) than the highest hypernym in question.
    """
    graph = NumberedEdges.of(edges)
    count, level = len(graph.ids), graph.levels()
    starts, up = graph.upwards()
    highest = np.full(count, count)
    np.minimum.at(highest, graph.low, level[graph.high])
    keys: Ints = graph.low * count + graph.high
    known, superfluous, reached = distinct(keys), np.zeros(0, np.int64), keys
    while len(reached):
        low, high = np.divmod(reached, count)
        below = level[high] > highest[low]
        place, at = expand(starts, high[below])
        low, high = low[below][place], up[at]
        reached = distinct((low * count + high)[level[high] >= highest[low]])
        superfluous = np.concatenate([superfluous, reached[found_in(reached, known)]])
    return edges.filter(pa.array(~found_in(keys, distinct(superfluous))))
