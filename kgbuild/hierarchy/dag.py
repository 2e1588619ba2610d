"""Questions to a hierarchy: closure, ancestors, roots, the longest chains, the tree view.

An edge table here is any table with columns `hyponym_id` and `hypernym_id`, each edge once (is_a_edges, or the closure itself).
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pyarrow as pa

from kgbuild.hierarchy.numbered import Ints, NumberedEdges, distinct, expand, found_in

CLOSURE_SCHEMA = pa.schema(
    [
        pa.field("hyponym_id", pa.string(), nullable=False),
        pa.field("hypernym_id", pa.string(), nullable=False),
        pa.field("depth", pa.int32(), nullable=False),
    ]
)


def closure(edges: pa.Table) -> pa.Table:
    """All (hyponym_id, hypernym_id, depth) with a path up between them; depth is the number of edges of the shortest one, from 1.

    Ordered by hyponym, depth, hypernym. A concept is not its own hypernym. Raises TableError on a cycle.
    """
    graph = NumberedEdges.of(edges)
    count = len(graph.ids)
    keys = distinct(graph.low * count + graph.high)
    reached, depths, depth = keys, np.ones(len(keys), np.int64), 1
    while len(keys):
        depth += 1
        keys = distinct(_one_step_up(graph, keys))
        keys = keys[~found_in(keys, np.sort(reached))]
        reached, depths = np.concatenate([reached, keys]), np.concatenate([depths, np.full(len(keys), depth)])
    low, high = np.divmod(reached, max(count, 1))
    graph.refuse_cycle(low[low == high])
    order = np.lexsort((high, depths, low))
    ends = [graph.ids.take(pa.array(end[order])) for end in (low, high)]
    return pa.Table.from_arrays([*ends, pa.array(depths[order], pa.int32())], schema=CLOSURE_SCHEMA)


def ancestors(edges: pa.Table, concept_id: str) -> list[str]:
    """The ids of all concepts above one, nearest first (by the shortest path, then by id)."""
    return _reach(edges["hyponym_id"].to_pylist(), edges["hypernym_id"].to_pylist(), concept_id)


def descendants(edges: pa.Table, concept_id: str) -> list[str]:
    """The ids of all concepts below one, nearest first (by the shortest path, then by id)."""
    return _reach(edges["hypernym_id"].to_pylist(), edges["hyponym_id"].to_pylist(), concept_id)


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
    columns = [[hyponym for hyponym, _ in ordered], [hypernym for _, (_, hypernym) in ordered]]
    return pa.table(columns, schema=pa.schema(list(CLOSURE_SCHEMA)[:2]))


def longest_chains(edges: pa.Table, n: int) -> list[list[str]]:
    """The longest paths from a concept with nothing below it up to a root: at most `n`, the longest first, one for each start.

    Ties go to the smaller ids. Raises TableError on a cycle.
    """
    graph = NumberedEdges.of(edges)
    level = graph.levels()
    longest = level[graph.high] == level[graph.low] - 1
    above = np.full(len(level), len(level))
    np.minimum.at(above, graph.low[longest], graph.high[longest])  # ascending ids
    leaves = np.setdiff1d(graph.low, graph.high).tolist()
    chains = []
    for leaf in sorted(leaves, key=lambda node: (-level[node], node))[:n]:
        chain = [leaf]
        while level[chain[-1]]:
            chain.append(above[chain[-1]])
        chains.append([graph.ids[node].as_py() for node in chain])
    return chains


def _one_step_up(graph: NumberedEdges, keys: Ints) -> Ints:
    """For each key low * count + high the keys low * count + h of all hypernyms h of `high`."""
    count = len(graph.ids)
    starts, up = graph.upwards()
    low, high = np.divmod(keys, count)
    place, at = expand(starts, high)
    return low[place] * count + up[at]


def _reach(starts: list[str], ends: list[str], concept_id: str) -> list[str]:
    onward = defaultdict(list)
    for start, end in zip(starts, ends, strict=True):
        onward[start].append(end)
    seen, layer, result = {concept_id}, [concept_id], []
    while layer:
        layer = sorted({end for one in layer for end in onward[one]} - seen)
        seen.update(layer)
        result += layer
    return result
