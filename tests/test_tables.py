"""Every stage's output passes `conform`: what does not fit is refused by name, what fits comes out in one form."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgbuild.errors import TableError
from kgbuild.tables import TABLES, conform, empty, in_order, reject_rows

STRINGS = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
PRODUCT = {
    "product_id": "p1",
    "title": "Red dress",
    "brand": None,
    "category_path": ["Apparel", "Dress"],
    "attributes": [("colour", "red")],
    "split": None,
}
MENTION = {
    "text_id": "t",
    "start": 0,
    "end": 3,
    "surface_form": "red",
    "concept_id": "c",
    "head_noun": "dress",
    "modifiers": ["red"],
    "domain": "product",
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_without_rows_conforms_and_keeps_its_schema(name: str) -> None:
    assert conform(empty(name), name).schema == TABLES[name].schema
    assert in_order(empty(name), name).num_rows == 0


@pytest.mark.parametrize("name", TABLES)
def test_keys_are_columns_that_hold_no_null(name: str) -> None:
    spec = TABLES[name]
    assert len(set(spec.key)) == len(spec.key)
    assert not any(spec.schema.field(column).nullable for column in spec.key)
    # Sorting beyond memory and taking over rows look at the first column of a file.
    assert spec.schema.names[0] == spec.key[0]


@pytest.mark.parametrize("name", TABLES)
def test_a_missing_column_is_named(name: str) -> None:
    for column in TABLES[name].schema.names:
        with pytest.raises(TableError, match=f"{name} lacks the columns .*'{column}'"):
            conform(empty(name).drop_columns([column]), name)


def test_a_null_is_refused_only_where_the_schema_says_so() -> None:
    schema = TABLES["products"].schema
    loose = pa.schema([field.with_nullable(True) for field in schema])
    assert conform(pa.Table.from_pylist([PRODUCT], schema=loose), "products").schema == schema
    for field in schema:
        rows = pa.Table.from_pylist([PRODUCT | {field.name: None}], schema=loose)
        if field.nullable:
            conform(rows, "products")
            continue
        with pytest.raises(TableError, match=rf"products\.{field.name} holds 1 nulls"):
            conform(rows, "products")


def test_a_null_inside_a_list_is_refused() -> None:
    rows = pa.Table.from_pylist([PRODUCT | {"category_path": ["Apparel", None]}, PRODUCT])
    rows = rows.set_column(4, "attributes", pa.array([[], []], TABLES["products"].schema.field("attributes").type))
    with pytest.raises(TableError, match=r"products\.category_path holds 1 nulls"):
        conform(rows, "products")


@pytest.mark.parametrize(
    ("column", "value"),
    [("start", "three"), ("start", 2**40), ("start", 1.5), ("modifiers", "red"), ("surface_form", [1])],
)
def test_a_value_that_cannot_be_cast_is_refused(column: str, value: object) -> None:
    with pytest.raises(TableError, match="mentions"):
        conform(pa.Table.from_pylist([MENTION | {column: value}]), "mentions")


def test_columns_come_in_the_schemas_order_and_others_are_dropped() -> None:
    rows = pa.Table.from_pylist([{"extra": 1, **dict(reversed(MENTION.items()))}])
    fitted = conform(rows, "mentions")
    assert fitted.schema == TABLES["mentions"].schema  # int64 became int32
    assert fitted.to_pylist() == [MENTION]


def test_metadata_is_kept() -> None:
    rows = empty("image_embeddings").replace_schema_metadata({b"model": b"kgbuild", b"dim": b"4"})
    assert conform(rows, "image_embeddings").schema.metadata == {b"model": b"kgbuild", b"dim": b"4"}
    assert in_order(rows, "image_embeddings").schema.metadata == {b"model": b"kgbuild", b"dim": b"4"}
    assert not conform(empty("images"), "images").schema.metadata


@given(st.lists(st.tuples(STRINGS, st.integers(0, 5), STRINGS), max_size=40, unique_by=lambda row: row[:2]))
@settings(max_examples=60, deadline=None)
def test_order_is_that_of_the_key_whatever_the_order_of_rows(keys: list[tuple[str, int, str]]) -> None:
    rows = [{"concept_id": c, "pool_rank": r, "image_id": i, "relevance": 0.5} for c, r, i in keys]
    schema = TABLES["candidate_pools"].schema
    expected = sorted(rows, key=lambda row: (row["concept_id"].encode(), row["pool_rank"]))
    for seed in range(3):
        random.Random(seed).shuffle(rows)
        assert in_order(pa.Table.from_pylist(rows, schema=schema), "candidate_pools").to_pylist() == expected


def test_rejects_carry_their_stage_and_a_detail_of_bounded_length() -> None:
    rows = reject_rows("mentions", [("t1", "empty text", "x" * 900), ("t0", "huge text", "")])
    assert rows.schema == TABLES["rejects"].schema
    assert rows["stage"].to_pylist() == ["mentions", "mentions"]
    assert [len(detail) for detail in rows["detail"].to_pylist()] == [500, 0]
    assert reject_rows("mentions", []).schema == TABLES["rejects"].schema
