"""Questions to a DAG, answered as networkx answers them."""

from __future__ import annotations

import networkx as nx
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgbuild.errors import TableError
from kgbuild.hierarchy import (
    ancestors,
    closure,
    descendants,
    longest_chains,
    primary_hypernyms,
    roots,
    transitive_reduction,
)

laws = settings(deadline=None, max_examples=60)

NODES = [f"n{i:02d}" for i in range(12)]
Edges = set[tuple[str, str]]


@st.composite
def dags(draw: st.DrawFn) -> Edges:
    """Edges from nodes to earlier nodes of a random order."""
    order = draw(st.permutations(NODES))
    places = st.integers(0, len(NODES) - 1)
    drawn = draw(st.sets(st.tuples(places, places), max_size=40))
    return {(order[max(a, b)], order[min(a, b)]) for a, b in drawn if a != b}


def table(edges: Edges) -> pa.Table:
    low, high = [one for one, _ in sorted(edges)], [one for _, one in sorted(edges)]
    return pa.table({"hyponym_id": pa.array(low, pa.string()), "hypernym_id": pa.array(high, pa.string())})


def low_high(row: dict[str, str]) -> tuple[str, str]:
    return row["hyponym_id"], row["hypernym_id"]


def concepts(products: dict[str, int]) -> pa.Table:
    return pa.table({"concept_id": list(products), "n_products": list(products.values())})


@laws
@given(dags())
def test_closure_is_every_path_with_the_length_of_the_shortest(edges: Edges) -> None:
    graph = nx.DiGraph(list(edges))
    paths = nx.all_pairs_shortest_path_length(graph)
    expected = sorted((low, depth, high) for low, found in paths for high, depth in found.items() if depth)
    rows = closure(table(edges)).to_pylist()
    assert [(row["hyponym_id"], row["depth"], row["hypernym_id"]) for row in rows] == expected


@laws
@given(dags(), st.sampled_from(NODES))
def test_ancestors_and_descendants(edges: Edges, node: str) -> None:
    graph = nx.DiGraph(list(edges))
    graph.add_node(node)
    up, down = ancestors(table(edges), node), descendants(table(edges), node)
    assert len(up) == len(set(up))
    assert set(up) == nx.descendants(graph, node)
    assert set(down) == nx.ancestors(graph, node)
    depth = nx.single_source_shortest_path_length(graph, node)
    assert up == sorted(up, key=lambda one: (depth[one], one))


@laws
@given(dags())
def test_reduction_is_that_of_networkx(edges: Edges) -> None:
    whole = nx.DiGraph(list(edges))
    expected = set(nx.transitive_reduction(whole).edges)
    assert {low_high(row) for row in transitive_reduction(table(edges)).to_pylist()} == expected
    assert {low_high(row) for row in closure(table(expected)).to_pylist()} == set(nx.transitive_closure(whole).edges)


@laws
@given(dags(), st.integers(1, 4))
def test_longest_chains_are_paths_from_leaf_to_root(edges: Edges, n: int) -> None:
    graph = nx.DiGraph(list(edges))
    chains = longest_chains(table(edges), n)
    leaves = [node for node in graph if graph.in_degree(node) == 0]
    assert len(chains) == min(n, len(leaves))
    for chain in chains:
        assert nx.is_path(graph, chain)
        assert graph.in_degree(chain[0]) == 0
        assert graph.out_degree(chain[-1]) == 0
    if edges:
        assert len(chains[0]) == nx.dag_longest_path_length(graph) + 1
    assert [len(chain) for chain in chains] == sorted((len(chain) for chain in chains), reverse=True)


@laws
@given(dags(), st.randoms())
def test_the_tree_view_has_one_hypernym_each(edges: Edges, random: object) -> None:
    products = {node: random.randint(1, 4) for node in NODES}  # type: ignore[attr-defined]
    rows = primary_hypernyms(concepts(products), table(edges)).to_pylist()
    assert [row["hyponym_id"] for row in rows] == sorted({low for low, _ in edges})
    for row in rows:
        options = [high for low, high in edges if low == row["hyponym_id"]]
        assert row["hypernym_id"] == min(options, key=lambda one: (-products[one], one))


def test_roots_come_by_products() -> None:
    assert roots(concepts({"a": 1, "b": 5, "c": 9, "d": 5}), table({("c", "b")})) == ["b", "d", "a"]


def test_a_circle_is_refused() -> None:
    circle = table({("a", "b"), ("b", "c"), ("c", "a")})
    for ask in (closure, transitive_reduction, lambda edges: longest_chains(edges, 1)):
        with pytest.raises(TableError, match="in a circle through a"):
            ask(circle)


def test_no_edges() -> None:
    assert closure(table(set())).num_rows == 0
    assert longest_chains(table(set()), 3) == []
    assert ancestors(table(set()), "a") == []
    assert primary_hypernyms(concepts({"a": 1}), table(set())).num_rows == 0
