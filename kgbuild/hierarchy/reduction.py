"""Transitive reduction of any is-a edges: those a longer path says already are left out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from kgbuild.hierarchy.numbered import Ints, NumberedEdges, distinct, found_in


def transitive_reduction(edges: pa.Table) -> pa.Table:
    """The rows of `edges` that no longer path replaces, in the order they had; raises TableError on a cycle.

    Of a concept's hypernyms, those reached from another of them are superfluous. A search upwards never passes a concept that
    stands no lower (by its longest path to a root) than the highest hypernym in question.
    """
    graph = NumberedEdges.of(edges)
    up = graph.hypernyms()
    level = _levels(up, graph.upper_first())
    superfluous = [
        node * len(up) + hypernym
        for node, hypernyms in enumerate(up)
        if len(hypernyms) > 1
        for hypernym in _reached_from_others(hypernyms, up, level)
    ]
    keys: Ints = graph.low * len(up) + graph.high
    return edges.filter(pa.array(~found_in(keys, distinct(np.array(superfluous, np.int64)))))


def _levels(up: Sequence[Sequence[int]], upper_first: Sequence[int]) -> list[int]:
    level = [0] * len(up)
    for node in upper_first:
        level[node] = max((level[hypernym] + 1 for hypernym in up[node]), default=0)
    return level


def _reached_from_others(hypernyms: Sequence[int], up: Sequence[Sequence[int]], level: Sequence[int]) -> set[int]:
    floor = min(level[hypernym] for hypernym in hypernyms)
    stack = [hypernym for hypernym in hypernyms if level[hypernym] > floor]
    seen: set[int] = set()
    while stack:
        for above in up[stack.pop()]:
            if above not in seen and level[above] >= floor:
                seen.add(above)
                stack.append(above)
    return seen.intersection(hypernyms)
