"""A small catalogue's tables, made up by a seed: as many products, pictures, concepts and edges as one asks for."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from kgbuild.graph import build_view
from kgbuild.tables import TABLES, in_order

COLOURS = ("black", "navy blue", "red", "crème", "white")
HEADS = ("shirt", "t-shirt", "dress", "kurta", "shoe")


class MemoryTables:
    """Tables in memory that answer like a release."""

    def __init__(self, tables: dict[str, pa.Table], piece_rows: int = 8192) -> None:
        self.tables = tables
        self._piece_rows = piece_rows

    def has(self, output: str) -> bool:
        return output in self.tables

    def batches(self, name: str, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        table = self.tables[name].select(list(columns)) if columns else self.tables[name]
        for start in range(0, table.num_rows, self._piece_rows):
            yield table.slice(start, self._piece_rows)


def stage_tables(*, products: int, concepts: int, mentions: int, prototypes: int, seed: int = 0) -> dict[str, pa.Table]:
    """products, images, concepts, is_a_edges, product_concepts and prototypes; concept i has parent i // 3."""
    rng = random.Random(seed)
    heads = [HEADS[i % len(HEADS)] for i in range(concepts)]
    labels = [f"{COLOURS[i % 5]} style{i} {heads[i]}" if i >= len(HEADS) else heads[i] for i in range(concepts)]
    ids = [f"{i:016x}" for i in range(concepts)]
    product_ids = [f"{10_000 + i}" for i in range(products)]
    image_ids = [f"{(i * 7919) % 1_000_003:016x}" for i in range(products)]
    rows: dict[str, list[dict[str, object]]] = {
        "products": [
            {"product_id": p, "title": f"Product {p} “été” 👗", "brand": rng.choice(["Puma", "Nike", None]),
             "category_path": ["Apparel", "Topwear"], "attributes": [("base_colour", rng.choice(COLOURS)), ("year", "2012")],
             "split": "train"} for p in product_ids],
        "images": [
            {"image_id": i, "product_id": p, "uri": f"catalogue.parquet#{p}/image", "width": 60, "height": 80, "sha256": i * 4}
            for i, p in zip(image_ids, product_ids, strict=True)],
        "concepts": [
            {"concept_id": c, "label": label, "head_noun": head, "modifiers": label.split()[:-1], "n_mentions": 5, "n_products": 3}
            for c, label, head in zip(ids, labels, heads, strict=True)],
        "is_a_edges": [
            {"hyponym_id": ids[i], "hypernym_id": ids[i // 3], "rule": "drop_modifier", "support": 3, "confidence": 0.9}
            for i in range(1, concepts)],
        "product_concepts": [
            {"product_id": p, "concept_id": ids[c], "n_mentions": 1 + c % 2}
            for p in product_ids for c in sorted(rng.sample(range(concepts), mentions))],
        "prototypes": [
            {"concept_id": c, "prototype_rank": rank, "image_id": image, "relevance": 0.3 - rank / 100, "redundancy": 0.1 * rank}
            for c in ids[: len(ids) * 9 // 10] for rank, image in enumerate(rng.sample(image_ids, prototypes))],
    }  # fmt: skip
    return {name: in_order(pa.Table.from_pylist(r, schema=TABLES[name].schema), name) for name, r in rows.items()}


def embeddings(ids: pa.ChunkedArray, dim: int, seed: int) -> pa.Table:
    """Random unit vectors for ids in order."""
    vectors = np.random.default_rng(seed).normal(size=(len(ids), dim)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    offsets = np.arange(0, vectors.size + 1, dim, dtype=np.int32)
    lists = pa.ListArray.from_arrays(offsets, pa.array(vectors.ravel()))
    return pa.table({"id": ids.combine_chunks(), "embedding": lists}).cast(TABLES["image_embeddings"].schema)


def release(
    *, products: int = 60, concepts: int = 40, mentions: int = 3, prototypes: int = 2, dim: int = 8, seed: int = 0
) -> MemoryTables:
    """The graph view and the embeddings of a made-up release."""
    tables = stage_tables(products=products, concepts=concepts, mentions=mentions, prototypes=prototypes, seed=seed)
    names = ("products", "images", "concepts", "is_a_edges", "product_concepts", "prototypes")
    nodes, edges = build_view(*(tables[name] for name in names))
    return MemoryTables(
        tables
        | {
            "nodes": nodes,
            "edges": edges,
            "concept_embeddings": embeddings(tables["concepts"]["concept_id"], dim, seed),
            "image_embeddings": embeddings(tables["images"]["image_id"], dim, seed + 1),
        }
    )
