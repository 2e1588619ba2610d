"""The graph view of a release: nodes and edges with their properties, made from the tables and never edited.

A node's id in the view is `<kind>:<its own id>`, so that ids of different kinds never meet; in the store it goes by its own id under
its label. Rows come in the order of the tables' keys and in parts, so that a large catalogue need not be held twice.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from kgbuild.errors import TableError
from kgbuild.tables import conform, empty

Tables: TypeAlias = pa.Table | Iterable[pa.Table]
"""A table, or its pieces in the order of its key."""

KINDS: Final[Mapping[str, str]] = {"Concept": "concept:", "Image": "image:", "Product": "product:"}
"""Node labels with the prefix of their ids, in the order of the prefixes."""

PART_ROWS: Final = 16_384
ATTRIBUTE_CHARACTERS: Final = 200
_NOT_IDENTIFIER: Final = re.compile(r"[^a-z0-9]+")
_RESERVED: Final = frozenset(
    {
        "id",
        "title",
        "brand",
        "category",
        "category_path",
        "split",
        "embedding",
        "labels",
        "type",
        "run_id",
        "release_id",
    }
)


def build_view(
    products: Tables,
    images: Tables,
    concepts: pa.Table,
    is_a_edges: pa.Table,
    product_concepts: pa.Table,
    prototypes: pa.Table,
) -> tuple[pa.Table, pa.Table]:
    """The tables `nodes` and `edges`, in order.

    Raises:
        TableError: an edge has an end that is no node.
    """
    images = _whole(images, "images")
    nodes = pa.concat_tables([empty("nodes"), *view_nodes(products, images, concepts)])
    edges = pa.concat_tables([empty("edges"), *view_edges(images, is_a_edges, product_concepts, prototypes)])
    check_ends(nodes["id"], edges)
    return nodes, edges


def view_nodes(products: Tables, images: Tables, concepts: pa.Table) -> Iterator[pa.Table]:
    """The table `nodes` in parts: concepts, images, products, each in the order of its id."""
    makers = (("Concept", concepts, _concept), ("Image", images, _image), ("Product", products, _product))
    for label, tables, properties in makers:
        for piece in _pieces(tables):
            rows = [properties(row) for row in piece.to_pylist()]
            yield _nodes(label, rows)


def view_edges(
    images: pa.Table, is_a_edges: pa.Table, product_concepts: pa.Table, prototypes: pa.Table
) -> Iterator[pa.Table]:
    """The table `edges` in parts and in the order of its key; only columns of ids and numbers are held."""
    from_concepts = [
        _ends(is_a_edges, "IS_A", ("Concept", "hyponym_id"), ("Concept", "hypernym_id"), "rule", "support", "confidence"),
        _ends(prototypes, "HAS_PROTOTYPE", ("Concept", "concept_id"), ("Image", "image_id"),
              "prototype_rank", "relevance", "redundancy"),
    ]  # fmt: skip
    from_products = [
        _ends(images, "HAS_IMAGE", ("Product", "product_id"), ("Image", "image_id")),
        _ends(product_concepts, "MENTIONS", ("Product", "product_id"), ("Concept", "concept_id"), "n_mentions"),
    ]
    for group in (from_concepts, from_products):
        rows = pa.concat_tables(group, promote_options="default")
        rows = rows.sort_by([("src", "ascending"), ("dst", "ascending"), ("type", "ascending")])
        for piece in _pieces(rows):
            yield _edges(piece)


def check_ends(node_ids: pa.ChunkedArray, edges: pa.Table) -> None:
    """Raises TableError when an edge has an end that is not among `node_ids`."""
    for end in ("src", "dst"):
        loose = edges.filter(pc.invert(pc.is_in(edges[end], value_set=node_ids)))
        if loose.num_rows:
            row = loose.slice(0, 1).to_pylist()[0]
            raise TableError(
                f"{loose.num_rows} edges end nowhere, the first being {row['src']} -{row['type']}-> {row['dst']}",
                "the tables are not of one build: run the stages again",
            )


def split_id(node_id: str) -> str:
    """The own id of a node, from its id in the view."""
    return node_id.partition(":")[2]


def _concept(row: dict[str, Any]) -> dict[str, Any]:
    keys = ("label", "head_noun", "modifiers", "n_mentions", "n_products")
    return {"id": row["concept_id"], **{key: row[key] for key in keys}}


def _image(row: dict[str, Any]) -> dict[str, Any]:
    return {"id": row["image_id"], **{key: row[key] for key in ("uri", "width", "height", "sha256")}}


def _product(row: dict[str, Any]) -> dict[str, Any]:
    """A product's properties: the narrowest category as `category`, and each short attribute under its own name."""
    path = row["category_path"]
    properties = {
        "id": row["product_id"],
        "title": row["title"],
        "brand": row["brand"],
        "category": path[-1] if path else None,
        "category_path": path,
        "split": row["split"],
    }
    for name, value in sorted(row["attributes"]):
        if value and len(value) <= ATTRIBUTE_CHARACTERS:
            properties.setdefault(attribute_name(name), value)
    return properties


def attribute_name(name: str) -> str:
    """An attribute's name as one can write it in Cypher without quotes: "Sleeve Length" becomes sleeve_length."""
    plain = _NOT_IDENTIFIER.sub("_", name.lower()).strip("_") or "unnamed"
    return f"attribute_{plain}" if plain in _RESERVED or plain[0].isdigit() or plain == "unnamed" else plain


def _nodes(label: str, rows: Sequence[dict[str, Any]]) -> pa.Table:
    ids = [KINDS[label] + row["id"] for row in rows]
    texts = [_json(row) for row in rows]
    return conform(pa.table({"id": ids, "label": [label] * len(rows), "properties": texts}), "nodes")


def _ends(table: pa.Table, kind: str, src: tuple[str, str], dst: tuple[str, str], *properties: str) -> pa.Table:
    def ids(end: tuple[str, str]) -> pa.ChunkedArray:
        return pc.binary_join_element_wise(KINDS[end[0]], table[end[1]], "")

    columns = {"src": ids(src), "dst": ids(dst), "type": pa.array([kind] * table.num_rows, pa.string())}
    return pa.table(columns | {name: table[name] for name in properties})


_EDGE_NAMES: Final[Mapping[str, str]] = {"prototype_rank": "rank", "n_mentions": "count"}


def _edges(piece: pa.Table) -> pa.Table:
    keys = ("src", "dst", "type")
    texts = [
        _json({_EDGE_NAMES.get(name, name): value for name, value in row.items()})
        for row in piece.drop_columns(list(keys)).to_pylist()
    ]
    return conform(piece.select(list(keys)).append_column("properties", pa.array(texts, pa.string())), "edges")


def _json(properties: Mapping[str, Any]) -> str:
    """Compact JSON without nulls: a property that is not known is not there."""
    known = {key: _short(value) for key, value in properties.items() if value is not None}
    return json.dumps(known, ensure_ascii=False, separators=(",", ":"))


def _short(value: Any) -> Any:
    """A float32 has seven digits: the rest of its 64-bit form is noise."""
    return float(f"{value:.7g}") if isinstance(value, float) else value


def _pieces(tables: Tables) -> Iterator[pa.Table]:
    for table in [tables] if isinstance(tables, pa.Table) else tables:
        for start in range(0, table.num_rows, PART_ROWS):
            yield table.slice(start, PART_ROWS)


def _whole(tables: Tables, name: str) -> pa.Table:
    return tables if isinstance(tables, pa.Table) else pa.concat_tables([empty(name), *tables])
