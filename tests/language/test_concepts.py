"""Concepts and their support, against the definition computed product by product."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import combinations, product

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgbuild.errors import TableError
from kgbuild.identity import concept_id
from kgbuild.language.concepts import aggregate_concepts, concept_label, modifier_order
from kgbuild.subsumption import subsumes, unit_matches
from kgbuild.tables import TABLES

laws = settings(deadline=None, max_examples=150)

Concept = tuple[str, frozenset[str]]
Mention = tuple[int, str, frozenset[str]]
"""Product, head, modifiers."""

UNITS = ["blue", "navy blue", "light navy blue", "print", "floral print", "leather", "faux leather", "men"]
said = st.tuples(
    st.integers(0, 6), st.sampled_from(["shirt", "bag"]), st.frozensets(st.sampled_from(UNITS), max_size=4)
)
catalogues = st.lists(said, max_size=30)


def tables(said: list[Mention]) -> tuple[pa.Table, pa.Table]:
    """Two texts a product, mentions in turn in the one and the other."""
    rows = [
        {
            "text_id": f"t{number}-{place % 2}",
            "start": place,
            "end": place + 1,
            "surface_form": " ".join([*sorted(modifiers), head]),
            "concept_id": concept_id(head, modifiers),
            "head_noun": head,
            "modifiers": sorted(modifiers),
        }
        for place, (number, head, modifiers) in enumerate(said)
    ]
    texts = [{"text_id": f"t{number}-{side}", "product_id": f"p{number}"} for number in range(7) for side in (0, 1)]
    return pa.Table.from_pylist(rows, schema=TABLES["mentions"].schema), pa.Table.from_pylist(texts)


def aggregate(said: list[Mention], *, min_products: int = 2, max_modifiers: int = 3) -> tuple[pa.Table, pa.Table]:
    return aggregate_concepts(*tables(said), min_products=min_products, max_modifiers=max_modifiers)


def by_concept(concepts: pa.Table) -> dict[Concept, tuple[int, int]]:
    rows = concepts.to_pylist()
    return {(r["head_noun"], frozenset(r["modifiers"])): (r["n_products"], r["n_mentions"]) for r in rows}


def by_definition(said: list[Mention], min_products: int, max_modifiers: int) -> dict[Concept, tuple[int, int]]:
    """Every set of units of a head that are said of enough products, counted by comparing it with every mention."""
    sayers: dict[tuple[str, str], set[int]] = defaultdict(set)
    for number, head, modifiers in said:
        for unit in modifiers:
            sayers[head, unit].add(number)
    supported: dict[Concept, tuple[int, int]] = {}
    for head in {head for _, head, _ in said}:
        units = [unit for unit in UNITS if len(sayers[head, unit]) >= min_products]
        for size in range(max_modifiers + 1):
            for some in map(frozenset, combinations(units, size)):
                words = [word for unit in some for word in unit.split()]
                if len(words) > len(set(words)):
                    continue
                under = [number for number, *mention in said if subsumes((head, some), (mention[0], mention[1]))]
                if len(set(under)) >= min_products:
                    supported[head, some] = (len(set(under)), len(under))
    return {one: n for one, n in supported.items() if not _is_echo(one, supported)}


def _is_echo(one: Concept, supported: dict[Concept, tuple[int, int]]) -> bool:
    """It has modifiers, and a finer one has the same mentions."""
    finer = (other for other in supported if other != one and subsumes(one, other))
    return bool(one[1]) and any(supported[other][1] == supported[one][1] for other in finer)


@laws
@given(catalogues, st.integers(1, 3), st.integers(0, 4))
def test_concepts_are_those_of_the_definition(said: list[Mention], min_products: int, max_modifiers: int) -> None:
    concepts, _ = aggregate(said, min_products=min_products, max_modifiers=max_modifiers)
    assert by_concept(concepts) == by_definition(said, min_products, max_modifiers)
    assert concepts.schema.equals(TABLES["concepts"].schema)
    for row in concepts.to_pylist():
        assert row["concept_id"] == concept_id(row["head_noun"], row["modifiers"])


@laws
@given(catalogues)
def test_products_are_linked_to_their_most_specific_concepts(said: list[Mention]) -> None:
    concepts, links = aggregate(said)
    expected = {}
    for number in range(7):
        own = [(head, modifiers) for n, head, modifiers in said if n == number]
        counts = {one: sum(subsumes(one, mention) for mention in own) for one in by_concept(concepts)}
        here = {one: n for one, n in counts.items() if n}
        for one, n in here.items():
            if not any(other != one and subsumes(one, other) for other in here):
                expected[f"p{number}", concept_id(*one)] = n
    rows = links.to_pylist()
    assert {(row["product_id"], row["concept_id"]): row["n_mentions"] for row in rows} == expected
    assert links.schema.equals(TABLES["product_concepts"].schema)


@laws
@given(catalogues, st.randoms())
def test_the_order_of_mentions_does_not_matter(said: list[Mention], random: object) -> None:
    mentions, texts = tables(said)
    shuffled = list(range(len(said)))
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    once = aggregate_concepts(mentions, texts, min_products=2, max_modifiers=3)
    again = aggregate_concepts(
        mentions.take(pa.array(shuffled, pa.int64())), texts.take([*range(13, -1, -1)]), min_products=2, max_modifiers=3
    )
    assert [table.to_pylist() for table in once] == [table.to_pylist() for table in again]


@laws
@given(catalogues, catalogues)
def test_more_mentions_never_lower_a_count(said: list[Mention], more: list[Mention]) -> None:
    """And a concept is lost only when a finer one, new or grown, takes over all its mentions."""
    before, after = by_concept(aggregate(said)[0]), by_concept(aggregate(said + more)[0])
    for one, (n_products, n_mentions) in before.items():
        if one in after:
            assert after[one] >= (n_products, n_mentions)
        else:
            under = sum(subsumes(one, (head, modifiers)) for _, head, modifiers in said + more)
            assert any(subsumes(one, finer) and after[finer][1] == under for finer in after)


def shirts(*modifier_sets: set[str]) -> list[Mention]:
    return [(number, "shirt", frozenset(modifiers)) for number, modifiers in enumerate(modifier_sets)]


def test_a_unit_is_generalised_only_to_what_the_catalogue_says() -> None:
    blues = shirts({"navy blue"}, {"navy blue"}, {"short sleeve"}, {"short sleeve"}, {"blue"}, {"blue"})
    found = by_concept(aggregate(blues)[0])
    assert found["shirt", frozenset({"blue"})] == (4, 4)
    assert ("shirt", frozenset({"sleeve"})) not in found


def test_a_unit_that_hardly_comes_alone_is_a_fragment() -> None:
    texts = pa.table({"text_id": [f"t{i}-{i % 2}" for i in range(40)], "product_id": [f"p{i}" for i in range(40)]})
    for bare, is_concept in ((2, False), (3, True)):  # of 28 and 29 products
        sets = [{"round neck"}, {"crew neck"}] * 13 + [{"neck", "blue"}] * bare
        said = [(i, "shirt", frozenset(modifiers)) for i, modifiers in enumerate(sets)]
        concepts, links = aggregate_concepts(tables(said)[0], texts, min_products=2, max_modifiers=3)
        found = by_concept(concepts)
        assert (("shirt", frozenset({"neck"})) in found) == is_concept
        assert ("shirt", frozenset({"neck", "blue"} if is_concept else {"blue"})) in found
        assert set(links["product_id"].to_pylist()) == {f"p{i}" for i in range(len(said))}


def test_a_rare_unit_still_counts_for_the_broader_one() -> None:
    found = by_concept(aggregate(shirts({"navy blue"}, {"blue"}, {"blue"}))[0])
    assert found == {("shirt", frozenset()): (3, 3), ("shirt", frozenset({"blue"})): (3, 3)}


def test_echoes_of_a_finer_concept_are_left_out() -> None:
    always_together = shirts({"blue", "cotton"}, {"blue", "cotton"}, {"blue", "cotton"})
    assert set(by_concept(aggregate(always_together)[0])) == {
        ("shirt", frozenset()),
        ("shirt", frozenset({"blue", "cotton"})),
    }
    with_a_cotton_one = [*always_together, (3, "shirt", frozenset({"cotton"}))]
    assert ("shirt", frozenset({"cotton"})) in by_concept(aggregate(with_a_cotton_one)[0])
    assert ("shirt", frozenset({"blue"})) not in by_concept(aggregate(with_a_cotton_one)[0])


def test_one_product_cannot_support_a_concept_alone() -> None:
    assert aggregate([(0, "shirt", frozenset({"blue"}))] * 5)[0].num_rows == 0


def test_a_mention_of_an_unknown_text_is_refused() -> None:
    mentions, texts = tables(shirts({"blue"}, {"blue"}))
    with pytest.raises(TableError, match="t1-1"):
        aggregate_concepts(mentions, texts.slice(0, 2), min_products=1, max_modifiers=2)


def test_no_mentions_no_concepts() -> None:
    concepts, links = aggregate([])
    assert (concepts.num_rows, links.num_rows) == (0, 0)


def spoken(*surfaces: tuple[str, str, list[str]]) -> pa.Table:
    rows = [
        {"text_id": "t", "start": i, "end": i, "surface_form": surface, "head_noun": head, "modifiers": modifiers}
        | {"concept_id": concept_id(head, modifiers)}
        for i, (surface, head, modifiers) in enumerate(surfaces)
    ]
    return pa.Table.from_pylist(rows, schema=TABLES["mentions"].schema)


def test_labels_follow_the_order_of_the_catalogue() -> None:
    order = modifier_order(
        spoken(
            ("Men White Short Sleeves T-shirt", "t-shirt", ["short sleeve", "white", "men"]),
            ("white cotton shirts", "shirt", ["cotton", "white"]),
            ("men's cotton shirt in white", "shirt", ["cotton", "men", "white"]),
        )
    )
    assert concept_label("t-shirt", {"cotton", "men", "short sleeve", "white"}, order=order).startswith("men white ")
    assert concept_label("kurta", ["zebra", "aqua"], order=order) == "aqua zebra kurta"
    assert concept_label("kurta", [], order=order) == "kurta"
    weights = Counter({unit: round(weight, 3) for unit, weight in order.items()})
    assert weights == {"men": 0.8, "white": 0.6, "short sleeve": 0.25, "cotton": 0.25}


@given(st.lists(st.sampled_from(UNITS), max_size=4), st.lists(st.sampled_from(UNITS), max_size=4))
def test_matching_units_is_the_same_as_trying_every_assignment(general: list[str], specific: list[str]) -> None:
    wanted, given_units = sorted(set(general)), sorted(set(specific))
    choices = product(given_units, repeat=len(wanted))
    expected = any(len(set(choice)) == len(wanted) and all(map(unit_matches, wanted, choice)) for choice in choices)
    assert subsumes(("shirt", wanted), ("shirt", given_units)) == expected
