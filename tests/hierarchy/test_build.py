"""Laws of the is-a hierarchy, against an oracle that compares every pair and lets networkx reduce."""

from __future__ import annotations

import os
from random import Random
from unittest import mock

import networkx as nx
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgbuild.errors import ConfigError, TableError
from kgbuild.hierarchy import RULES, build_hierarchy, expand_hierarchy
from kgbuild.identity import concept_id
from kgbuild.subsumption import subsumes
from kgbuild.tables import TABLES

from .oracle import Concept, concept_table, pairs, reduced_edges, reduced_pairs

laws = settings(deadline=None, max_examples=int(os.environ.get("LAW_EXAMPLES", "150")))
"""LAW_EXAMPLES=20000 tries them harder."""

UNITS = [
    "blue",
    "navy blue",
    "dark navy blue",
    "light blue",
    "print",
    "floral print",
    "faux leather",
    "leather",
    "long",
]
UNITS += ["white sole", "white rubber sole", "sole"]

WORDS = ["a", "b", "c", "no", "of"]
"""Few words make units that nest in all ways; "no" and "of" are never dropped."""

units = st.one_of(st.sampled_from(UNITS), st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map(" ".join))
modifier_sets = st.one_of(
    st.frozensets(st.sampled_from(UNITS), max_size=4),
    st.frozensets(st.sampled_from(["a", "b a", "c a", "c b a", "b c a", "b", "a b"]), max_size=4),
    st.frozensets(units, max_size=5),
)
heads = st.sampled_from(["shirt", "dress", "bag", "shoe"])
concept_sets = st.sets(st.tuples(st.sampled_from(["shirt", "dress"]), modifier_sets), max_size=25)
few_concepts = st.sets(st.tuples(heads, modifier_sets), max_size=6)
rule_sets = st.sampled_from([RULES, RULES[:1], RULES[1:]])


def shirt(*modifiers: str) -> Concept:
    return "shirt", frozenset(modifiers)


@laws
@given(concept_sets, rule_sets)
def test_edges_are_the_transitive_reduction_of_subsumption(concepts: set[Concept], rules: tuple[str, ...]) -> None:
    edges = build_hierarchy(concept_table(concepts), rules=rules)
    assert pairs(edges) == reduced_pairs(concepts, rules)
    assert edges.equals(reduced_edges(concepts, rules))
    assert edges.schema.equals(TABLES["is_a_edges"].schema)


@laws
@given(concept_sets, rule_sets, st.integers(1, 40))
def test_large_lattices_are_no_different(concepts: set[Concept], rules: tuple[str, ...], most_points: int) -> None:
    with mock.patch("kgbuild.hierarchy.covers.MOST_POINTS", most_points):
        edges = build_hierarchy(concept_table(concepts), rules=rules)
    assert edges.equals(reduced_edges(concepts, rules))


@laws
@given(concept_sets, st.randoms(use_true_random=False))
def test_the_order_of_rows_and_units_does_not_matter(concepts: set[Concept], random: Random) -> None:
    rows = concept_table(concepts).to_pylist()
    random.shuffle(rows)
    for row in rows:
        row["modifiers"] = random.sample(row["modifiers"], len(row["modifiers"]))
    shuffled = concept_table([]).from_pylist(rows, schema=TABLES["concepts"].schema)
    assert build_hierarchy(shuffled).equals(build_hierarchy(concept_table(concepts)))


@laws
@given(concept_sets)
def test_edges_hold_what_they_say(concepts: set[Concept]) -> None:
    table = concept_table(concepts)
    by_id = {concept_id(*concept): concept for concept in concepts}
    products = dict(zip(table["concept_id"].to_pylist(), table["n_products"].to_pylist(), strict=True))
    edges = build_hierarchy(table)
    for edge in edges.to_pylist():
        hyponym, hypernym = by_id[edge["hyponym_id"]], by_id[edge["hypernym_id"]]
        assert subsumes(hypernym, hyponym)
        assert not subsumes(hyponym, hypernym)
        assert edge["support"] == products[edge["hyponym_id"]]
        assert 0 < edge["confidence"] <= 1
        dropped_only = hypernym[1] < hyponym[1]
        assert edge["rule"] == ("drop_modifier" if dropped_only else "generalise_modifier")
        assert (edge["confidence"] == 1) or not dropped_only
    graph = nx.DiGraph(list(pairs(edges)))
    assert nx.is_directed_acyclic_graph(graph)
    for head, modifiers in concepts:
        root = concept_id(head, ())
        if modifiers and (head, frozenset()) in concepts:
            assert root in nx.descendants(graph, concept_id(head, modifiers))


@laws
@given(concept_sets, st.randoms(use_true_random=False), rule_sets)
def test_expanding_equals_building_at_once(concepts: set[Concept], random: Random, rules: tuple[str, ...]) -> None:
    """Whatever was there before, and also when some of it is gone."""
    whens = {one: random.choice(["before", "after", "both", "both"]) for one in sorted(concepts, key=str)}
    before = {one for one, when in whens.items() if when != "after"}
    after = {one for one, when in whens.items() if when != "before"}
    old = build_hierarchy(concept_table(before, n_products=2), rules=rules)
    added = {concept_id(*one) for one in after - before}
    whole = concept_table(after)
    assert expand_hierarchy(old, whole, added, rules=rules).equals(build_hierarchy(whole, rules=rules))


@laws
@given(concept_sets, st.lists(few_concepts, max_size=6), st.randoms(use_true_random=False), rule_sets)
def test_many_small_changes_in_any_order(
    first: set[Concept], changes: list[set[Concept]], random: Random, rules: tuple[str, ...]
) -> None:
    """Each change adds concepts, some of them again, and takes some away: a few, of one head alone, or all."""
    now: set[Concept] = set()
    edges = build_hierarchy(concept_table(now), rules=rules)
    for place, more in enumerate([first, *changes]):
        of_heads = random.choice([["shirt"], ["dress", "bag"], ["shirt", "dress", "bag", "shoe"]])
        there = sorted((one for one in now if one[0] in of_heads), key=str)
        now = now.difference(random.sample(there, random.choice([0, min(1, len(there)), len(there)]))) | more
        table = concept_table(now, n_products=place + 2)
        edges = expand_hierarchy(edges, table, [concept_id(*one) for one in more], rules=rules)
        assert edges.equals(reduced_edges(now, rules, n_products=place + 2))


def test_edges_between_heads_are_not_expanded() -> None:
    edges = build_hierarchy(concept_table([shirt(), shirt("blue")]))
    rows = [edges.to_pylist()[0] | {"rule": "category_path"}]
    with pytest.raises(TableError, match="category_path"):
        expand_hierarchy(pa.Table.from_pylist(rows, schema=edges.schema), concept_table([shirt(), shirt("blue")]), [])


def test_expanding_by_one_product_line_moves_only_what_it_touches() -> None:
    old = {shirt(), shirt("navy blue", "long"), ("dress", frozenset()), ("dress", frozenset({"print"}))}
    new = old | {shirt("blue"), shirt("long")}
    edges = build_hierarchy(concept_table(old))
    assert (concept_id(*shirt("navy blue", "long")), concept_id("shirt", ())) in pairs(edges)
    expanded = expand_hierarchy(edges, concept_table(new), {concept_id(*shirt("blue")), concept_id(*shirt("long"))})
    assert pairs(expanded) == reduced_pairs(new, RULES)
    assert (concept_id(*shirt("navy blue", "long")), concept_id("shirt", ())) not in pairs(expanded)


def test_confidence_is_how_regularly_the_broader_unit_is_said() -> None:
    concepts = {(head, frozenset({unit})) for head in ("shirt", "dress", "kurta") for unit in ("navy blue", "blue")}
    concepts |= {("bag", frozenset({"navy blue"}))}
    edges = build_hierarchy(concept_table(concepts)).to_pylist()
    assert [edge["rule"] for edge in edges] == ["generalise_modifier"] * 3
    assert [edge["confidence"] for edge in edges] == pytest.approx([(3 + 1) / (4 + 2)] * 3)


def test_faux_leather_is_no_leather() -> None:
    concepts = [shirt("faux leather"), shirt("leather"), shirt("soft leather")]
    edges = pairs(build_hierarchy(concept_table(concepts)))
    assert edges == {(concept_id(*concepts[2]), concept_id(*concepts[1]))}


def test_no_concepts_no_edges() -> None:
    assert build_hierarchy(concept_table([])).num_rows == 0


def test_the_number_of_units_may_be_large() -> None:
    many = shirt(*(f"unit{i}" for i in range(80)))
    concepts = [many, shirt("unit3", "unit5"), shirt("unit5"), shirt()]
    assert build_hierarchy(concept_table(concepts)).num_rows == 3
    assert build_hierarchy(concept_table(concepts), rules=RULES[1:]).num_rows == 0


def test_an_unknown_rule_is_refused() -> None:
    with pytest.raises(ConfigError, match="dorp_modifier"):
        build_hierarchy(concept_table([]), rules=["dorp_modifier"])


def test_one_concept_under_two_ids_is_refused() -> None:
    rows = concept_table([shirt("blue")]).to_pylist()
    twice = concept_table([]).from_pylist([*rows, rows[0] | {"concept_id": "other"}], schema=TABLES["concepts"].schema)
    with pytest.raises(TableError, match="are the same: shirt"):
        build_hierarchy(twice)


def test_an_added_id_must_be_a_concept() -> None:
    with pytest.raises(TableError, match="feedbeef"):
        expand_hierarchy(build_hierarchy(concept_table([])), concept_table([shirt()]), {"feedbeef"})
