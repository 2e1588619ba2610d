"""Laws of the batch plan."""

from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_catalogue import compose, small_tables

from kgbuild.identity import concept_id
from kgbuild.tables import TABLES

TABLES_HERE = small_tables(40)
IMAGES = {row["image_id"]: row for row in TABLES_HERE["images"].to_pylist()}
TEXTS = {row["text_id"]: row for row in TABLES_HERE["texts"].to_pylist()}


@given(seed=st.integers(0, 1000), batch_size=st.integers(2, 50))
@settings(max_examples=25, deadline=None)
def test_every_pairable_product_once_and_no_picture_twice_a_batch(seed: int, batch_size: int) -> None:
    plan = compose(TABLES_HERE, batch_size=batch_size, seed=seed).to_pylist()
    products = [IMAGES[row["image_id"]]["product_id"] for row in plan]
    assert sorted(products) == sorted({f"p{n:02d}" for n in range(40)} - {"p05", "p07"})
    assert all(TEXTS[row["text_id"]]["product_id"] == product for row, product in zip(plan, products, strict=True))
    pictures = Counter((row["batch_id"], IMAGES[row["image_id"]]["sha256"]) for row in plan)
    assert max(pictures.values()) == 1
    sizes = Counter(row["batch_id"] for row in plan)
    assert max(sizes.values()) <= batch_size
    assert [row["position"] for row in plan] == [place for batch in sorted(sizes) for place in range(sizes[batch])]


def test_unpairable_products_are_counted() -> None:
    assert compose(TABLES_HERE).schema.metadata == {
        b"pairs": b"38",
        b"products_without_text": b"1",
        b"products_without_image": b"1",
    }


def test_boilerplate_is_no_text_to_learn_from() -> None:
    assert all(TEXTS[text]["field"] in {"title", "description"} for text in compose(TABLES_HERE)["text_id"].to_pylist())


@given(st.randoms(use_true_random=False))
@settings(max_examples=10, deadline=None)
def test_the_order_of_rows_does_not_matter(rng) -> None:
    def shuffled(table: pa.Table) -> pa.Table:
        order = list(range(table.num_rows))
        rng.shuffle(order)
        return table.take(pa.array(order, pa.int64()))

    assert compose({name: shuffled(table) for name, table in TABLES_HERE.items()}).equals(compose(TABLES_HERE))


def test_another_seed_gives_another_plan() -> None:
    assert not compose(TABLES_HERE, seed=1).equals(compose(TABLES_HERE, seed=2))


def test_concepts_come_finest_first_and_are_filled_with_hypernyms() -> None:
    by_product = {IMAGES[row["image_id"]]["product_id"]: row["concept_ids"] for row in compose(TABLES_HERE).to_pylist()}
    assert by_product["p00"] == [concept_id("shirt", ["red"]), concept_id("shirt", [])]
    assert compose(TABLES_HERE, concepts_per_text=1)["concept_ids"].to_pylist() == [
        ids[:1] for ids in compose(TABLES_HERE)["concept_ids"].to_pylist()
    ]


def test_nearer_hypernyms_come_before_farther_ones() -> None:
    tables = dict(TABLES_HERE)
    red, shirt, cap = concept_id("shirt", ["red"]), concept_id("shirt", []), concept_id("cap", [])
    tables["closure"] = pa.table({"hyponym_id": [red, red], "hypernym_id": [cap, shirt], "depth": [2, 1]})
    by_product = {IMAGES[row["image_id"]]["product_id"]: row["concept_ids"] for row in compose(tables).to_pylist()}
    assert by_product["p00"] == [red, shirt, cap]


@pytest.mark.parametrize("name", ["texts", "images"])
def test_nothing_to_pair_gives_an_empty_plan(name: str) -> None:
    plan = compose({**TABLES_HERE, name: TABLES[name].schema.empty_table()})
    assert plan.num_rows == 0
    assert plan.schema.names == TABLES["batch_plan"].schema.names
