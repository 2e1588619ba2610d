"""A tiny catalogue whose every answer one can work out by hand.

shirt <- blue shirt, checked shirt <- blue checked shirt;  shirt <- shirt dress is not one of them
p1 and p2 are shirts of Puma, p3 a checked shirt of Nike with jeans, p4 jeans of no brand, and nobody has a picture of a kurta
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from graph.synthetic import MemoryTables
from kgbuild.graph import build_view
from kgbuild.tables import TABLES, in_order

CONCEPTS = {
    "c1": ("shirt", "shirt", [], 3),
    "c2": ("blue shirt", "shirt", ["blue"], 2),
    "c3": ("checked shirt", "shirt", ["checked"], 2),
    "c4": ("blue checked shirt", "shirt", ["blue", "checked"], 1),
    "c5": ("jeans", "jean", [], 2),
    "c6": ("kurta", "kurta", [], 1),
}
IMAGE_VECTORS = {"i1": [1.0, 0.0, 0.0], "i2": [0.9, 0.4359, 0.0], "i3": [0.6, 0.8, 0.0], "i4": [0.0, 0.0, 1.0]}
CONCEPT_VECTORS = {"c1": [1.0, 0.0, 0.0], "c5": [0.0, 0.0, 1.0]}

PARAMETERS: Mapping[str, Mapping[str, Any]] = {
    "below": {"label": "shirt"},
    "broader": {"label": "blue checked shirt"},
    "prototypes": {"label": "shirt"},
    "similar_products": {"label": "shirt", "k": 3},
    "search": {"words": "checked"},
    "brand_voice": {"brand": "Puma", "at_least": 1},
    "together": {"label": "shirt"},
    "in_common": {"first": "p1", "second": "p3"},
    "without_pictures": {},
    "connection": {"first": "blue shirt", "second": "checked shirt"},
}
ANSWERS: Mapping[str, list[tuple[Any, ...]]] = {
    "below": [("blue shirt", 2), ("checked shirt", 2), ("blue checked shirt", 1)],
    "broader": [("blue shirt", 1, 2), ("checked shirt", 1, 2), ("shirt", 2, 3)],
    "prototypes": [(0, "file#i1", "Puma blue checked shirt", 0.5), (1, "file#i3", "Nike checked shirt “été” 👗", 0.25)],
    "similar_products": [
        ("p1", "Puma blue checked shirt"),
        ("p2", "Puma shirt"),
        ("p3", "Nike checked shirt “été” 👗"),
    ],
    "search": [("checked shirt", 2), ("blue checked shirt", 1)],
    "brand_voice": [("blue checked shirt", 1, 1), ("blue shirt", 1, 1)],
    "together": [("jeans", 1)],
    "in_common": [("checked shirt", 2), ("shirt", 3)],
    "without_pictures": [("blue checked shirt", 1), ("kurta", 1)],
    "connection": [(["blue shirt", "shirt", "checked shirt"], 2)],
}


def fashion() -> MemoryTables:
    rows: dict[str, list[dict[str, Any]]] = {
        "products": [
            _product(
                "p1", "Puma blue checked shirt", "Puma", [("Sleeve Length", "short"), ("id", "7"), ("note", "x" * 500)]
            ),
            _product("p2", "Puma shirt", "Puma", []),
            _product("p3", "Nike checked shirt “été” 👗", "Nike", [("year", "2012")]),
            _product("p4", "Jeans", None, []),
        ],
        "images": [
            {"image_id": i, "product_id": p, "uri": f"file#{i}", "width": 60, "height": 80, "sha256": "0" * 64}
            for i, p in (("i1", "p1"), ("i2", "p2"), ("i3", "p3"), ("i4", "p4"))
        ],
        "concepts": [
            {"concept_id": c, "label": label, "head_noun": head, "modifiers": mods, "n_mentions": n, "n_products": n}
            for c, (label, head, mods, n) in CONCEPTS.items()
        ],
        "is_a_edges": [
            {"hyponym_id": a, "hypernym_id": b, "rule": "drop_modifier", "support": 1, "confidence": 0.1}
            for a, b in (("c2", "c1"), ("c3", "c1"), ("c4", "c2"), ("c4", "c3"))
        ],
        "product_concepts": [
            {"product_id": p, "concept_id": c, "n_mentions": n}
            for p, c, n in (("p1", "c4", 2), ("p2", "c2", 1), ("p3", "c3", 1), ("p3", "c5", 3), ("p4", "c5", 1))
        ],
        "prototypes": [
            {"concept_id": c, "prototype_rank": rank, "image_id": i, "relevance": 0.5 / (rank + 1), "redundancy": 0.0}
            for c, rank, i in (("c1", 0, "i1"), ("c1", 1, "i3"), ("c2", 0, "i1"), ("c3", 0, "i3"), ("c5", 0, "i4"))
        ],
    }
    tables = {name: in_order(pa.Table.from_pylist(r, schema=TABLES[name].schema), name) for name, r in rows.items()}
    nodes, edges = build_view(*(tables[name] for name in rows))
    vectors = {
        f"{name}_embeddings": pa.table(
            {"id": list(given), "embedding": pa.array(given.values(), pa.list_(pa.float32()))},
            schema=TABLES["image_embeddings"].schema,
        )
        for name, given in (("image", IMAGE_VECTORS), ("concept", CONCEPT_VECTORS))
    }
    return MemoryTables(tables | {"nodes": nodes, "edges": edges} | vectors)


def _product(product_id: str, title: str, brand: str | None, attributes: list[tuple[str, str]]) -> dict[str, Any]:
    return {"product_id": product_id, "title": title, "brand": brand, "category_path": ["Apparel", "Topwear"],
            "attributes": attributes, "split": None}  # fmt: skip
