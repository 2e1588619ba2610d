"""Small random catalogues as tables, with the hierarchy and the duplicates that the prototype stage has to cope with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from kgbuild.tables import TABLES, in_order
from kgbuild.vectors import embedding_table


@dataclass(frozen=True)
class World:
    concepts: pa.Table
    product_concepts: pa.Table
    closure: pa.Table
    images: pa.Table
    concept_embeddings: pa.Table
    image_embeddings: pa.Table

    def tables(self):
        return (
            self.concepts,
            self.product_concepts,
            self.closure,
            self.images,
            self.concept_embeddings,
            self.image_embeddings,
        )


def table(name, rows):
    return in_order(pa.Table.from_pylist(rows, schema=TABLES[name].schema), name)


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def random_world(seed, *, n_concepts=12, n_products=30, n_pictures=25, dim=6, grid=False):
    """Products with 0-3 images; pictures are shared by products; some images and concepts have no embedding.

    `grid` draws embeddings from few directions, so that similarities tie.
    """
    rng = np.random.default_rng(seed)
    concept_ids = [f"c{i:02d}" for i in range(n_concepts)]
    concepts = [
        {"concept_id": c, "label": c, "head_noun": c, "modifiers": [], "n_mentions": 1, "n_products": 1}
        for c in concept_ids
    ]
    direct = [(a, b) for a in range(n_concepts) for b in range(a) if rng.random() < 0.15]
    reach = np.zeros((n_concepts, n_concepts), bool)
    for low, high in direct:
        reach[low, high] = True
    for middle in range(n_concepts):
        reach |= np.outer(reach[:, middle], reach[middle])
    closure = pa.table(
        {
            "hyponym_id": pa.array([concept_ids[a] for a, b in np.argwhere(reach)], pa.string()),
            "hypernym_id": pa.array([concept_ids[b] for a, b in np.argwhere(reach)], pa.string()),
        }
    )
    product_concepts, images = [], []
    for p in range(n_products):
        mentioned = rng.choice(n_concepts, size=rng.integers(0, 4), replace=False)
        product_concepts += [{"product_id": f"p{p}", "concept_id": concept_ids[c], "n_mentions": 1} for c in mentioned]
        for s in rng.choice(n_pictures, size=rng.integers(0, 4), replace=False):
            image = {"image_id": f"{rng.integers(10**9):09d}-{p}-{s}", "product_id": f"p{p}", "uri": "", "width": 1}
            images.append(image | {"height": 1, "sha256": f"s{s}"})
    draw = (lambda shape: rng.integers(-1, 2, size=shape) + 0.25) if grid else (lambda shape: rng.normal(size=shape))
    by_picture = unit(draw((n_pictures, dim)))
    ids = sorted(image["image_id"] for image in images)
    picture = {image["image_id"]: int(image["sha256"][1:]) for image in images}
    ids = [image_id for image_id in ids if picture[image_id] % 11 != 10]  # as if these could not be decoded
    about = {"model": "m", "fingerprint": "f"}
    return World(
        table("concepts", concepts),
        table("product_concepts", product_concepts),
        closure,
        table("images", images),
        embedding_table("concept_embeddings", concept_ids[:-1], unit(draw((n_concepts - 1, dim))), **about),
        embedding_table("image_embeddings", ids, by_picture[[picture[i] for i in ids]].reshape(len(ids), dim), **about),
    )


def naive_mmr(relevance, similarity, k, lam, duplicate):
    """The definition: the score of every candidate from scratch in every round, O(k^2 n)."""
    chosen, cost = [], []
    while len(chosen) < k:
        scores = {}
        for v in range(len(relevance)):
            if v in chosen:
                continue
            redundancy = max((float(similarity[s, v]) for s in chosen), default=None)
            if redundancy is None:
                scores[v] = (float(relevance[v]), 0.0)
            elif redundancy <= duplicate:
                scores[v] = (lam * float(relevance[v]) - (1.0 - lam) * redundancy, redundancy)
        if not scores:
            break
        best = max(scores, key=lambda v: (scores[v][0], -v))
        chosen.append(best)
        cost.append(scores[best][1])
    return chosen, cost
