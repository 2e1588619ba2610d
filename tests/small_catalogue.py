"""A catalogue of coloured squares as tables: enough for batches and training to have something to learn."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image

from kgbuild.batches import ExportManifest, compose_batches, export_batches
from kgbuild.identity import concept_id, image_id, text_id
from kgbuild.tables import TABLES

COLOURS = {"red": (220, 30, 30), "green": (30, 180, 40), "blue": (30, 50, 210), "white": (250, 250, 250)}
KINDS = ("shirt", "dress", "cap")


def picture(colour: str, kind: str, number: int) -> bytes:
    pixels = np.full((20, 15, 3), 128, np.uint8)
    height = {"shirt": 8, "dress": 16, "cap": 4}[kind]
    pixels[2 : 2 + height, 3:12] = COLOURS[colour]
    pixels[0, 0] = number % 256
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def small_tables(n_products: int = 24) -> dict[str, pa.Table]:
    """All tables that composing and exporting read; product p03 shares its picture with p15, p05 has none, p07 no text."""
    rows: dict[str, list[dict[str, object]]] = {name: [] for name in TABLES}
    pictures: dict[str, bytes] = {}
    for number in range(n_products):
        product = f"p{number:02d}"
        colour, kind = list(COLOURS)[number % 4], KINDS[number % 3]
        title = f"Acme {colour.title()} {kind.title()} {number}"
        rows["products"].append(
            {"product_id": product, "title": title, "brand": "Acme", "category_path": ["Apparel", kind.title()],
             "attributes": [("colour", colour), ("pockets", "2")], "split": None}
        )  # fmt: skip
        told = (
            [] if number == 7 else [("title", title), ("description", f"A {colour} {kind} for all.\nMade with care.")]
        )
        for field, text in [*told, ("boilerplate:care", "Wash cold by hand only.")]:
            rows["texts"].append(
                {"text_id": text_id(product, field, text), "product_id": product, "field": field, "text": text}
            )
        if number != 5:
            image = picture(colour, kind, 3 if number == 15 else number)
            sha256 = hashlib.sha256(image).hexdigest()
            pictures[sha256] = image
            rows["images"].append(
                {"image_id": image_id(product, sha256), "product_id": product, "uri": "", "width": 15, "height": 20, "sha256": sha256}
            )  # fmt: skip
        rows["product_concepts"].append(
            {"product_id": product, "concept_id": concept_id(kind, [colour]), "n_mentions": 2}
        )
    rows["pictures"] = [{"sha256": sha256, "image": image} for sha256, image in sorted(pictures.items())]
    for kind in KINDS:
        rows["concepts"].append(_concept(kind, [], n_products // 3))
        for colour in COLOURS:
            rows["concepts"].append(_concept(kind, [colour], n_products // 12))
            rows["is_a_edges"].append(
                {"hyponym_id": concept_id(kind, [colour]), "hypernym_id": concept_id(kind, []), "rule": "drop_modifier",
                 "support": 2, "confidence": 1.0}
            )  # fmt: skip
    tables = {name: pa.Table.from_pylist(of_one, schema=TABLES[name].schema) for name, of_one in rows.items()}
    tables["closure"] = pa.table(
        {
            "hyponym_id": tables["is_a_edges"]["hyponym_id"],
            "hypernym_id": tables["is_a_edges"]["hypernym_id"],
            "depth": pa.array([1] * tables["is_a_edges"].num_rows, pa.int32()),
        }
    )
    return tables | _embedded(tables)


def _concept(head: str, modifiers: list[str], n_products: int) -> dict[str, object]:
    return {"concept_id": concept_id(head, modifiers), "label": " ".join([*modifiers, head]), "head_noun": head,
            "modifiers": modifiers, "n_mentions": 2 * n_products, "n_products": n_products}  # fmt: skip


def _embedded(tables: dict[str, pa.Table]) -> dict[str, pa.Table]:
    """Random unit embeddings, and as prototypes of a concept up to three pictures of its products."""
    ids = tables["images"]["image_id"].to_pylist()
    vectors = np.random.default_rng(0).normal(size=(len(ids), 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    of_product = dict(zip(tables["images"]["product_id"].to_pylist(), ids, strict=True))
    shown: dict[str, list[str]] = {}
    above = dict(
        zip(tables["closure"]["hyponym_id"].to_pylist(), tables["closure"]["hypernym_id"].to_pylist(), strict=True)
    )
    for row in tables["product_concepts"].to_pylist():
        if row["product_id"] in of_product:
            for concept in (row["concept_id"], above[row["concept_id"]]):
                shown.setdefault(concept, []).append(of_product[row["product_id"]])
    prototypes = [
        {"concept_id": concept, "prototype_rank": rank, "image_id": image, "relevance": 0.5, "redundancy": 0.0}
        for concept, images in sorted(shown.items())
        for rank, image in enumerate(images[:3])
    ]
    return {
        "image_embeddings": pa.Table.from_pylist(
            [{"id": i, "embedding": v.tolist()} for i, v in zip(ids, vectors, strict=True)],
            schema=TABLES["image_embeddings"].schema,
        ),
        "prototypes": pa.Table.from_pylist(prototypes, schema=TABLES["prototypes"].schema),
    }


def compose(tables: dict[str, pa.Table], *, batch_size: int = 8, concepts_per_text: int = 3, seed: int = 0) -> pa.Table:
    return compose_batches(
        tables["texts"],
        tables["images"],
        tables["product_concepts"],
        tables["closure"],
        tables["concepts"],
        batch_size=batch_size,
        concepts_per_text=concepts_per_text,
        seed=seed,
    )


def export(tables: dict[str, pa.Table], plan: pa.Table, out: Path, *, shard_batches: int = 2) -> ExportManifest:
    return export_batches(
        plan,
        tables["concepts"],
        tables["closure"],
        tables["prototypes"],
        tables["images"],
        tables["image_embeddings"],
        out,
        fetch_products=rows_of(tables["products"], "product_id"),
        fetch_texts=rows_of(tables["texts"], "product_id"),
        fetch_pictures=rows_of(tables["pictures"], "sha256"),
        concepts_per_text=3,
        shard_batches=shard_batches,
    )


def rows_of(table: pa.Table, column: str) -> Callable[[Sequence[str]], pa.Table]:
    return lambda keys: table.filter(pc.is_in(table[column], value_set=pa.array(keys, pa.string())))
