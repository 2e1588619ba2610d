"""The view: what becomes a node, an edge, a property; its order; and that nothing depends on how the tables are cut."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph.fashion import fashion
from graph.synthetic import MemoryTables, stage_tables
from kgbuild.errors import TableError
from kgbuild.graph import build_view, view
from kgbuild.tables import TABLES, in_order

NAMES = ("products", "images", "concepts", "is_a_edges", "product_concepts", "prototypes")


def properties(table: pa.Table, **where: str) -> dict[str, Any]:
    rows = [row for row in table.to_pylist() if all(row[key] == value for key, value in where.items())]
    assert len(rows) == 1
    return dict(json.loads(rows[0]["properties"]))


def test_nodes_carry_what_one_asks_for() -> None:
    nodes = fashion().tables["nodes"]
    assert properties(nodes, id="concept:c4") == {
        "id": "c4", "label": "blue checked shirt", "head_noun": "shirt", "modifiers": ["blue", "checked"],
        "n_mentions": 1, "n_products": 1,
    }  # fmt: skip
    assert properties(nodes, id="image:i1") == {
        "id": "i1", "uri": "file#i1", "width": 60, "height": 80, "sha256": "0" * 64,
    }  # fmt: skip
    # "id" is taken and "note" is a text rather than an attribute: one is renamed, the other stays in the table products
    assert properties(nodes, id="product:p1") == {
        "id": "p1", "title": "Puma blue checked shirt", "brand": "Puma", "category": "Topwear",
        "category_path": ["Apparel", "Topwear"], "sleeve_length": "short", "attribute_id": "7",
    }  # fmt: skip
    assert "brand" not in properties(nodes, id="product:p4")


def test_edges_carry_what_justifies_them() -> None:
    edges = fashion().tables["edges"]
    assert properties(edges, src="concept:c4", dst="concept:c2") == {
        "rule": "drop_modifier", "support": 1, "confidence": 0.1,
    }  # fmt: skip
    assert properties(edges, src="concept:c1", dst="image:i3") == {"rank": 1, "relevance": 0.25, "redundancy": 0.0}
    assert properties(edges, src="product:p1", dst="concept:c4") == {"count": 2}
    assert properties(edges, src="product:p1", dst="image:i1") == {}


def test_every_row_becomes_one_node_or_edge_in_the_order_of_the_key() -> None:
    tables = stage_tables(products=300, concepts=70, mentions=4, prototypes=3)
    nodes, edges = build_view(*(tables[name] for name in NAMES))
    assert nodes.num_rows == sum(tables[name].num_rows for name in ("products", "images", "concepts"))
    assert edges.num_rows == sum(
        tables[name].num_rows for name in ("images", "is_a_edges", "product_concepts", "prototypes")
    )
    assert nodes.equals(in_order(nodes, "nodes"))
    assert edges.equals(in_order(edges, "edges"))
    assert len(set(nodes["id"].to_pylist())) == nodes.num_rows


@pytest.mark.parametrize("rows", [1, 7, 10_000])
def test_the_view_does_not_depend_on_the_pieces(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    tables = stage_tables(products=50, concepts=20, mentions=4, prototypes=3)
    whole = build_view(*(tables[name] for name in NAMES))
    monkeypatch.setattr(view, "PART_ROWS", rows)
    pieces = MemoryTables(tables, piece_rows=rows)
    cut = build_view(pieces.batches("products"), pieces.batches("images"), *(tables[name] for name in NAMES[2:]))
    assert [table.combine_chunks() for table in cut] == [table.combine_chunks() for table in whole]


def test_ids_of_different_kinds_never_meet() -> None:
    rows = {
        "products": [{"product_id": "x", "title": "t", "brand": None, "category_path": [], "attributes": [], "split": None}],
        "images": [{"image_id": "x", "product_id": "x", "uri": "u", "width": 1, "height": 1, "sha256": "s"}],
        "concepts": [{"concept_id": "x", "label": "l", "head_noun": "l", "modifiers": [], "n_mentions": 1, "n_products": 1}],
        "is_a_edges": [], "product_concepts": [{"product_id": "x", "concept_id": "x", "n_mentions": 1}], "prototypes": [],
    }  # fmt: skip
    tables = [pa.Table.from_pylist(rows[name], schema=TABLES[name].schema) for name in NAMES]  # type: ignore[arg-type]
    nodes, edges = build_view(*tables)
    assert nodes["id"].to_pylist() == ["concept:x", "image:x", "product:x"]
    assert {(row["src"], row["dst"]) for row in edges.to_pylist()} == {
        ("product:x", "concept:x"),
        ("product:x", "image:x"),
    }


def test_empty_tables_make_an_empty_view() -> None:
    nodes, edges = build_view(*(TABLES[name].schema.empty_table() for name in NAMES))
    assert (nodes.num_rows, edges.num_rows) == (0, 0)
    assert (nodes.schema, edges.schema) == (TABLES["nodes"].schema, TABLES["edges"].schema)


@pytest.mark.parametrize(
    ("table", "end"), [("is_a_edges", "hypernym_id"), ("prototypes", "image_id"), ("images", "product_id")]
)
def test_an_edge_without_its_end_is_refused(table: str, end: str) -> None:
    tables = stage_tables(products=5, concepts=5, mentions=1, prototypes=1)
    rows = tables[table].to_pylist()
    rows[0][end] = "nowhere"
    tables[table] = pa.Table.from_pylist(rows, tables[table].schema)
    with pytest.raises(TableError, match="nowhere"):
        build_view(*(tables[name] for name in NAMES))


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=30))
def test_an_attribute_name_needs_no_quotes_in_cypher(name: str) -> None:
    made = view.attribute_name(name)
    assert made.isidentifier()
    assert made.isascii()
    assert made == made.lower()
    assert made not in view._RESERVED
    assert view.attribute_name(made) == made
