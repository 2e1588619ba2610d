"""Edges between heads: on a little catalogue, and what must hold of any."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import networkx as nx
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgbuild.errors import ConfigError
from kgbuild.hierarchy import build_hierarchy, closure, roots
from kgbuild.hierarchy.accept import Accepted
from kgbuild.hierarchy.heads import find_head_edges
from kgbuild.hierarchy.names import HEAD_RULES, Claim, Name, lower_bound
from kgbuild.hierarchy.placed import add_head_concepts, attach_heads
from kgbuild.hierarchy.said import Said
from kgbuild.hierarchy.taxonomy import read_taxonomy, taxonomy_claims
from kgbuild.hierarchy.tree import tree_lines
from kgbuild.language.concepts import aggregate_concepts
from kgbuild.language.labels import concept_label
from kgbuild.language.names import name_form
from kgbuild.subsumption import subsumes
from tests.hierarchy.heads_catalogue import Product, shop, tables

MENTIONS, TEXTS, PRODUCTS = tables(shop())


def found(products: pa.Table = PRODUCTS, **more: object) -> tuple[pa.Table, pa.Table]:
    _, edges, categories = find_head_edges(MENTIONS, TEXTS, products, name_of=name_form, min_products=3, **more)  # type: ignore[arg-type]
    return edges, categories


def edges_of(products: Sequence[Product]) -> pa.Table:
    return find_head_edges(*tables(products), name_of=name_form, min_products=3)[1]


def with_levels(levels: slice) -> pa.Table:
    at = PRODUCTS.schema.get_field_index("category_path")
    paths = pa.array([path[levels] for path in PRODUCTS["category_path"].to_pylist()], PRODUCTS.schema.field(at).type)
    return PRODUCTS.set_column(at, PRODUCTS.schema.field(at), paths)


def as_pairs(head_edges: pa.Table) -> dict[tuple[str, str], str]:
    def name(row: dict[str, object], end: str) -> str:
        return " ".join([*row[f"{end}_modifiers"], row[f"{end}_head"]])  # type: ignore[misc, list-item]

    return {(name(row, "hyponym"), name(row, "hypernym")): row["rule"] for row in head_edges.to_pylist()}


def whole() -> tuple[pa.Table, pa.Table, pa.Table, pa.Table]:
    head_edges, categories = found()
    concepts, links = aggregate_concepts(MENTIONS, TEXTS, min_products=3, max_modifiers=4)
    label_of = lambda head, modifiers: concept_label(head, modifiers, order={})  # noqa: E731
    concepts = add_head_concepts(concepts, links, head_edges, categories, label_of=label_of)
    return concepts, attach_heads(build_hierarchy(concepts), head_edges, concepts), head_edges, links


def test_categories_and_usage_give_the_kinds() -> None:
    edges = as_pairs(found()[0])
    assert edges["kurta", "topwear"] == "category"
    assert edges["topwear", "apparel"] == "category"
    assert edges["sneaker", "casual shoe"] == "cooccurrence"
    assert edges["shoe", "footwear"] == "category"
    assert ("lip gloss", "lip product") in edges, "a gloss is no lip"
    assert edges["cotton", "material"] == "usage"
    assert edges["sleeve", "part"] == "usage"


def test_a_modified_head_may_stand_elsewhere() -> None:
    two = with_levels(slice(0, 2))
    edges = as_pairs(found(two)[0])
    assert edges["night suit", "nightwear"] == "cooccurrence"
    assert ("suit", "nightwear") not in edges


def test_a_group_of_kinds_stands_where_all_of_them_are() -> None:
    more = [
        (f"[blue kidswear] {n}", f"Number {n}", ["Apparel", kind, leaf])
        for kind, leaf, times in (
            ("Topwear", "Kurtas", 12),
            ("Topwear", "Tshirts", 12),
            ("Nightwear", "Night suits", 8),
        )
        for n in range(times)
    ]
    edges = as_pairs(edges_of([*shop(), *more]))
    assert edges["kidswear", "apparel"] == "cooccurrence"
    assert ("kidswear", "topwear") not in edges


def test_a_modified_head_is_of_no_other_kind_of_its_own_level() -> None:
    more = [(f"[plain inner t-shirt] {n}", f"Number {n}", ["Apparel", "Innerwear", "Vests"]) for n in range(6)]
    edges = as_pairs(edges_of([*shop(), *more]))
    assert ("inner t-shirt", "vest") not in edges
    assert edges["inner t-shirt", "innerwear"] == "cooccurrence"


def test_a_small_category_does_not_keep_its_name_from_a_larger_home() -> None:
    more = [(f"[blue perfume] {n}", f"Number {n}", ["Personal Care", "Fragrance", "Sprays"]) for n in range(20)]
    more += [(f"[red perfume] {n}", f"Number {n}", ["Personal Care", "Perfumes", "Old"]) for n in range(3)]
    edges = as_pairs(edges_of([*shop(), *more]))
    assert edges["perfume", "spray"] == "cooccurrence"


def test_a_set_of_clothes_is_another_kind_of_set() -> None:
    more = [(f"[plain clothing set] {n}", f"Number {n}", ["Apparel", "Apparel Set"]) for n in range(8)]
    more += [(f"[plain jewellery set] {n}", f"Number {n}", ["Accessories", "Jewellery"]) for n in range(40)]
    edges = as_pairs(edges_of([*shop(), *more]))
    assert edges["clothing set", "apparel set"] == "cooccurrence"


def test_titles_serve_where_there_are_no_categories() -> None:
    bare = with_levels(slice(0, 0))
    edges = as_pairs(found(bare)[0])
    assert edges["sneaker", "shoe"] == "cooccurrence"
    assert edges["kurta", "product"] == "usage"
    assert edges["boot", "shoe"] == "pattern"


def test_a_path_of_one_level_stands_below_product() -> None:
    one = with_levels(slice(2, 3))
    assert as_pairs(found(one)[0])["kurta", "product"] == "category"


def test_the_order_of_rows_does_not_matter() -> None:
    shuffled = []
    for table in (MENTIONS, TEXTS, PRODUCTS):
        order = list(range(len(table)))
        random.Random(1).shuffle(order)
        shuffled.append(table.take(order))
    again = find_head_edges(*shuffled, name_of=name_form, min_products=3)
    assert all(one.equals(other) for one, other in zip(found(), again[1:], strict=True))
    assert again[0].equals(find_head_edges(MENTIONS, TEXTS, PRODUCTS, name_of=name_form, min_products=3)[0])


def test_no_mentions_no_edges() -> None:
    made = find_head_edges(
        MENTIONS.slice(0, 0), TEXTS.slice(0, 0), PRODUCTS.slice(0, 0), name_of=name_form, min_products=3
    )
    assert [table.num_rows for table in made] == [0, 0, 0]


def test_rules_can_be_left_out() -> None:
    rules = set(as_pairs(found(rules=["category"])[0]).values())
    assert rules == {"category"}


def test_every_concept_reaches_one_root_and_counts_what_is_below() -> None:
    concepts, edges, _, links = whole()
    labels = dict(zip(concepts["concept_id"].to_pylist(), concepts["label"].to_pylist(), strict=True))
    assert {labels[one] for one in roots(concepts, edges)} <= {
        *("apparel", "footwear", "accessory", "personal care", "product", "part", "material", "pattern", "detail")
    }
    above = {(row["hyponym_id"], row["hypernym_id"]) for row in closure(edges).to_pylist()}
    counts = {labels[row["concept_id"]]: row for row in concepts.to_pylist()}
    for low, high in above:
        assert counts[labels[low]]["n_products"] <= counts[labels[high]]["n_products"], (labels[low], labels[high])
    assert counts["footwear"]["n_products"] == 8 + 8 + 12 + 4
    assert counts["footwear"]["n_mentions"] == 0
    sneakers = {row["product_id"] for row in links.to_pylist() if "sneaker" in labels[row["concept_id"]]}
    assert counts["sneaker"]["n_products"] == len(sneakers) == 8


def test_edges_are_reduced_and_keep_the_rule_of_the_modifiers() -> None:
    concepts, edges, _, _ = whole()
    graph = nx.DiGraph(zip(edges["hyponym_id"].to_pylist(), edges["hypernym_id"].to_pylist(), strict=True))
    assert set(nx.transitive_reduction(graph).edges) == set(graph.edges)
    labels = dict(zip(concepts["concept_id"].to_pylist(), concepts["label"].to_pylist(), strict=True))
    rules = {(labels[row["hyponym_id"]], labels[row["hypernym_id"]]): row["rule"] for row in edges.to_pylist()}
    assert rules["casual shoe", "shoe"] == "drop_modifier"


def test_the_tree_is_cut_by_depth_and_width() -> None:
    concepts, edges, _, _ = whole()
    lines = list(tree_lines(concepts, edges, n_roots=2, depth=1, width=2))
    assert max(line.depth for line in lines) == 1
    assert sum(line.depth == 0 for line in lines) == 2
    assert all(line.more >= 0 for line in lines)


names = st.builds(
    Name,
    st.sampled_from("abcd"),
    st.sets(st.sampled_from(["x", "y", "y x"]), max_size=2).map(lambda some: tuple(sorted(some))),
)
claims = st.builds(
    Claim, names, names, st.sampled_from(HEAD_RULES), st.integers(1, 9), st.sampled_from([0.2, 0.5, 0.9])
)


@given(st.lists(claims, max_size=12))
def test_accepted_claims_run_in_no_circle_with_what_modifiers_say(some: list[Claim]) -> None:
    accepted = Accepted([Name("a")])
    accepted.take(some)
    every = {end for claim in some for end in (claim.low, claim.high)}
    by_modifiers = [(low, high) for low in every for high in every if low != high and subsumes(high, low)]
    graph = nx.DiGraph([*by_modifiers, *((claim.low, claim.high) for claim in accepted.claims)])
    assert nx.is_directed_acyclic_graph(graph)
    assert all(claim.low != Name("a") for claim in accepted.claims)
    for claim in some:
        reached = {claim.low, *(nx.descendants(graph, claim.low) if claim.low in graph else ())}
        assert (claim.high in reached) == accepted.above(claim.low, claim.high)


spans = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 12), st.integers(1, 8)), min_size=1, max_size=10, unique=True
)


@given(spans)
def test_outer_is_the_last_other_span_around(some: list[tuple[int, int, int]]) -> None:
    texts = pa.table(
        {"text_id": ["t0", "t1"], "product_id": ["p0", "p1"], "field": ["title", "description"], "text": ["", ""]}
    )
    rows = [
        {"text_id": f"t{text}", "start": start, "end": start + length, "surface_form": "", "concept_id": str(number)}
        | {"head_noun": f"h{number}", "modifiers": [], "domain": "other"}
        for number, (text, start, length) in enumerate(some)
    ]
    said = Said.of(pa.Table.from_pylist(rows, MENTIONS.schema), texts)
    for row in range(len(some)):
        start, end = said.start[row], said.end[row]
        around = [
            other
            for other in range(len(some))
            if said.text[other] == said.text[row] and said.start[other] <= start and said.end[other] >= end
            and (said.start[other], said.end[other]) != (start, end)
        ]  # fmt: skip
        outer = int(said.outer[row])
        nested = outer >= 0
        assert nested == bool(around)
        if nested:
            assert outer == max(other for other in around if other < row)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Tshirts", ("t-shirt", ())),
        ("Casual Shoes", ("shoe", ("casual",))),
        ("Loungewear and Nightwear", ("loungewear and nightwear", ())),
        ("Apparel & Accessories", ("apparel and accessory", ())),
        ("Flip Flops", ("flip flop", ())),
        (" - ", ("", ())),
    ],
)
def test_names_follow_the_rules_of_heads(written: str, name: tuple[str, tuple[str, ...]]) -> None:
    assert name_form(written) == name


def test_the_bound_keeps_small_supports_out() -> None:
    assert lower_bound(2, 2) < 0.6 < lower_bound(3, 3) < lower_bound(30, 30) < 1
    assert lower_bound(0, 0) == 0


@pytest.mark.parametrize("lines", [
    "# Shopify\ngid://shopify/TaxonomyCategory/aa   : Apparel\ngid://shopify/TaxonomyCategory/aa-1 : Apparel > Shoes > Sneakers\n",
    "# Google_Product_Taxonomy_Version: 2021-09-21\n166 - Apparel\n187 - Apparel > Shoes > Sneakers\n",
    "Apparel\nApparel > Shoes > Sneakers\n",
])  # fmt: skip
def test_both_formats_of_taxonomies(lines: str, tmp_path: Path) -> None:
    file = tmp_path / "taxonomy.txt"
    file.write_text(lines, "utf-8")
    paths = read_taxonomy(file)
    assert paths == [("Apparel",), ("Apparel", "Shoes", "Sneakers")]
    known = {Name("shoe"), Name("sneaker")}
    assert [(c.low.head, c.high.head) for c in taxonomy_claims(paths, known, name_form)] == [("sneaker", "shoe")]


@pytest.mark.parametrize(("content", "says"), [
    (None, "cannot be read"), (b"\xff\xfe\x00", "no UTF-8"), (b"{}\n", "no line of the form"),
    (b"gid://shopify/TaxonomyCategory/aa : A > B\nnot one\n", "line 2"),
])  # fmt: skip
def test_a_taxonomy_that_cannot_be_used(content: bytes | None, says: str, tmp_path: Path) -> None:
    file = tmp_path / "taxonomy.txt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=says):
        read_taxonomy(file)


def test_a_taxonomy_says_more_of_kinds() -> None:
    bare = with_levels(slice(0, 0))
    edges = as_pairs(found(bare, taxonomy=[("Shoes", "Sandals"), ("Toys", "Sandals")])[0])
    assert edges["sandal", "shoe"] == "seed_taxonomy"


def test_a_category_that_no_text_names_goes_by_what_titles_call_its_products() -> None:
    more = [(f"[blue sari] {n}", f"Number {n}", ["Apparel", "Draped", "Sarees"]) for n in range(9)]
    assert as_pairs(edges_of([*shop(), *more]))["sari", "draped"] == "category"
    elsewhere = [(f"[red sari] {n}", f"Number {n}", ["Apparel", "Nightwear", "Robes"]) for n in range(3)]
    assert as_pairs(edges_of([*shop(), *more, *elsewhere]))["saree", "draped"] == "category"


def test_what_is_said_of_a_few_is_not_said_of_all() -> None:
    more = [(f"[blue sandal] {n}", f"Number {n}", ["Footwear", "Sandals", "Sandals"]) for n in range(30)]
    more += [
        (f"[red mule] {n}", "These [sandals] are a kind of [mule]", ["Footwear", "Slides", "Mules"]) for n in range(3)
    ]
    assert ("sandal", "mule") not in as_pairs(edges_of([*shop(), *more]))
