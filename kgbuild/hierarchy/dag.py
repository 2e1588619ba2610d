"""Questions to a hierarchy: closure, ancestors, roots, the longest chains, the tree view, transitive reduction.

An edge table here is any table with columns `hyponym_id` and `hypernym_id` (is_a_edges, or the closure itself).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kgbuild.errors import TableError

Ints = npt.NDArray[np.int64]

CLOSURE_SCHEMA = pa.schema(
    [
        pa.field("hyponym_id", pa.string(), nullable=False),
        pa.field("hypernym_id", pa.string(), nullable=False),
        pa.field("depth", pa.int32(), nullable=False),
    ]
)


@dataclass(frozen=True)
class _Graph:
    """Edges as integers: node i has the hypernyms `targets[starts[i] : starts[i + 1]]`; ids ascend with the integers."""

    ids: list[str]
    starts: Ints
    targets: Ints

    def up(self, node: int) -> list[int]:
        return self.targets[self.starts[node] : self.starts[node + 1]].tolist()

    @property
    def sources(self) -> Ints:
        return np.repeat(np.arange(len(self.ids)), np.diff(self.starts))


def closure(edges: pa.Table) -> pa.Table:
    """All (hyponym_id, hypernym_id, depth) with a path up between them; depth is the number of edges of the shortest one, from 1.

    Ordered by hyponym, depth, hypernym. A concept is not its own hypernym. Raises TableError on a cycle.
    """
    graph = _graph(edges)
    count = max(len(graph.ids), 1)
    reached = keys = np.unique(graph.sources * count + graph.targets)
    depths = np.ones(len(keys), np.int64)
    depth = 1
    while len(keys):
        depth += 1
        low, high = np.divmod(keys, count)
        keys = np.setdiff1d(_one_step_up(graph, low, high), reached)
        reached, depths = np.concatenate([reached, keys]), np.concatenate([depths, np.full(len(keys), depth)])
    low, high = np.divmod(reached, count)
    _refuse_cycle(graph, low[low == high])
    order = np.lexsort((high, depths, low))
    ids = pa.array(graph.ids, pa.string())
    columns = [ids.take(pa.array(low[order])), ids.take(pa.array(high[order])), pa.array(depths[order], pa.int32())]
    return pa.Table.from_arrays(columns, schema=CLOSURE_SCHEMA)


def ancestors(edges: pa.Table, concept_id: str) -> list[str]:
    """The ids of all concepts above one, nearest first (by the shortest path, then by id)."""
    return _reach(_graph(edges), concept_id)


def descendants(edges: pa.Table, concept_id: str) -> list[str]:
    """The ids of all concepts below one, nearest first (by the shortest path, then by id)."""
    turned = pa.table({"hyponym_id": edges["hypernym_id"], "hypernym_id": edges["hyponym_id"]})
    return _reach(_graph(turned), concept_id)


def roots(concepts: pa.Table, edges: pa.Table) -> list[str]:
    """The ids of concepts without a hypernym, those with most products first (ties by id)."""
    below = set(edges["hyponym_id"].to_pylist())
    counts = zip(concepts["n_products"].to_pylist(), concepts["concept_id"].to_pylist(), strict=True)
    return [one for _, one in sorted((-n, one) for n, one in counts if one not in below)]


def primary_hypernyms(concepts: pa.Table, edges: pa.Table) -> pa.Table:
    """The tree view for people: (hyponym_id, hypernym_id) with one hypernym each, ordered by hyponym; roots have no row.

    The hypernym with most products is taken (ties by id), so that common facets divide first: a "men blue check shirt" stands
    below "men blue shirt", not below "blue check shirt".
    """
    products = dict(zip(concepts["concept_id"].to_pylist(), concepts["n_products"].to_pylist(), strict=True))
    best: dict[str, tuple[int, str]] = {}
    for hyponym, hypernym in zip(edges["hyponym_id"].to_pylist(), edges["hypernym_id"].to_pylist(), strict=True):
        candidate = (-products[hypernym], hypernym)
        best[hyponym] = min(best.get(hyponym, candidate), candidate)
    ordered = sorted(best.items())
    schema = pa.schema(list(CLOSURE_SCHEMA)[:2])
    return pa.table([[hyponym for hyponym, _ in ordered], [hypernym for _, (_, hypernym) in ordered]], schema=schema)


def longest_chains(edges: pa.Table, n: int) -> list[list[str]]:
    """The longest paths from a concept with nothing below it up to a root: at most `n`, the longest first, one for each start.

    Ties go to the smaller ids.
    """
    graph = _graph(edges)
    height = [0] * len(graph.ids)
    above = [-1] * len(graph.ids)
    for node in _upper_first(graph):
        for hypernym in graph.up(node):  # ascending ids: the first of the highest stays
            if height[hypernym] + 1 > height[node]:
                height[node], above[node] = height[hypernym] + 1, hypernym
    leaves = np.setdiff1d(graph.sources, graph.targets).tolist()
    chains = []
    for leaf in sorted(leaves, key=lambda node: (-height[node], node))[:n]:
        chain = [leaf]
        while above[chain[-1]] >= 0:
            chain.append(above[chain[-1]])
        chains.append([graph.ids[node] for node in chain])
    return chains


def transitive_reduction(edges: pa.Table) -> pa.Table:
    """The rows of `edges` that no longer path replaces, in the order they had; raises TableError on a cycle.

    For each concept with several hypernyms, those reached from another of them are superfluous. A search upwards never passes a
    concept that stands no lower (by its longest path to a root) than the lowest of those still in question.
    """
    graph = _graph(edges)
    level = [0] * len(graph.ids)
    for node in _upper_first(graph):
        level[node] = max((level[hypernym] + 1 for hypernym in graph.up(node)), default=0)
    superfluous = {
        (node, hypernym)
        for node in np.flatnonzero(np.diff(graph.starts) > 1).tolist()
        for hypernym in _reached_from_others(graph, graph.up(node), level)
    }
    number = {one: i for i, one in enumerate(graph.ids)}
    pairs = zip(edges["hyponym_id"].to_pylist(), edges["hypernym_id"].to_pylist(), strict=True)
    kept = [i for i, (low, high) in enumerate(pairs) if (number[low], number[high]) not in superfluous]
    return edges.take(pa.array(kept, pa.int64()))


def _reached_from_others(graph: _Graph, hypernyms: Sequence[int], level: Sequence[int]) -> set[int]:
    open_targets = set(hypernyms)
    floor = min(level[hypernym] for hypernym in hypernyms)
    seen: set[int] = set()
    reached: set[int] = set()
    stack = [hypernym for hypernym in hypernyms if level[hypernym] > floor]
    while stack:
        for above in graph.up(stack.pop()):
            if above in seen or level[above] < floor:
                continue
            seen.add(above)
            if above in open_targets:
                reached.add(above)
            if level[above] > floor:
                stack.append(above)
    return reached


def _graph(edges: pa.Table) -> _Graph:
    low, high = edges["hyponym_id"].to_pylist(), edges["hypernym_id"].to_pylist()
    ids = sorted({*low, *high})
    number = {one: i for i, one in enumerate(ids)}
    sources = np.fromiter((number[one] for one in low), np.int64, len(low))
    targets = np.fromiter((number[one] for one in high), np.int64, len(high))
    order = np.lexsort((targets, sources))
    starts = np.searchsorted(sources[order], np.arange(len(ids) + 1))
    return _Graph(ids, starts.astype(np.int64), targets[order])


def _one_step_up(graph: _Graph, low: Ints, high: Ints) -> Ints:
    """The keys of (low, h) for every hypernym h of each `high`."""
    counts = graph.starts[high + 1] - graph.starts[high]
    first = np.repeat(graph.starts[high] - np.cumsum(counts) + counts, counts)
    targets = graph.targets[first + np.arange(counts.sum())]
    return np.repeat(low, counts) * len(graph.ids) + targets


def _reach(graph: _Graph, concept_id: str) -> list[str]:
    if concept_id not in graph.ids:
        return []
    start = graph.ids.index(concept_id)
    seen, layer, result = {start}, [start], []
    while layer:
        layer = sorted({above for node in layer for above in graph.up(node)} - seen)
        seen.update(layer)
        result += [graph.ids[node] for node in layer]
    return result


def _upper_first(graph: _Graph) -> list[int]:
    """Nodes so that hypernyms come before their hyponyms (Kahn)."""
    waiting = np.diff(graph.starts).tolist()
    down: list[list[int]] = [[] for _ in graph.ids]
    for low, high in zip(graph.sources.tolist(), graph.targets.tolist(), strict=True):
        down[high].append(low)
    order = [node for node, left in enumerate(waiting) if not left]
    for node in order:  # grows while it is walked
        for hyponym in down[node]:
            waiting[hyponym] -= 1
            if not waiting[hyponym]:
                order.append(hyponym)
    _refuse_cycle(graph, [node for node, left in enumerate(waiting) if left])
    return order


def _refuse_cycle(graph: _Graph, nodes: Collection[int]) -> None:
    if len(nodes):
        raise TableError(
            f"the is-a edges run in a circle through {graph.ids[min(nodes)]}", "rebuild the hierarchy stage"
        )
