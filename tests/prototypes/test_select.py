"""Prototypes: laws over random catalogues, and the whole selection against a plain one."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgbuild.errors import TableError
from kgbuild.prototypes import build_candidate_pools, select_prototypes
from kgbuild.tables import TABLES
from kgbuild.vectors import as_matrix, embedding_table, exact_similarities
from prototypes.world import naive_mmr, random_world, table

SETTINGS = {"k": 4, "mmr_lambda": 0.6, "duplicate_similarity": 0.9}


def plain_prototypes(world, pools, *, k, mmr_lambda, duplicate_similarity):
    vectors = dict(zip(world.image_embeddings["id"].to_pylist(), as_matrix(world.image_embeddings), strict=True))
    rows = []
    for concept in sorted(set(pools["concept_id"].to_pylist())):
        pool = sorted((row["image_id"], row["relevance"]) for row in pools.to_pylist() if row["concept_id"] == concept)
        similarity = np.array([[exact_similarities(vectors[a], vectors[b]) for b, _ in pool] for a, _ in pool])
        relevance = np.array([r for _, r in pool], np.float32)
        chosen, cost = naive_mmr(relevance, similarity, k, mmr_lambda, duplicate_similarity)
        rows += [
            (concept, rank, pool[place][0], pool[place][1], pytest.approx(cost[rank], abs=1e-6))
            for rank, place in enumerate(chosen)
        ]
    return rows


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_same_as_the_definition(seed):
    world = random_world(seed)
    pools = build_candidate_pools(*world.tables(), pool_size=8, gate=True)
    prototypes = select_prototypes(pools, world.image_embeddings, world.images, **SETTINGS)
    assert prototypes.schema.equals(TABLES["prototypes"].schema)
    assert [tuple(row.values()) for row in prototypes.to_pylist()] == plain_prototypes(world, pools, **SETTINGS)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), k=st.integers(1, 6), lam=st.sampled_from([0.0, 0.3, 1.0]))
def test_laws(seed, k, lam):
    world = random_world(seed, grid=seed % 2 == 0)
    pools = build_candidate_pools(*world.tables(), pool_size=8, gate=True)
    prototypes = select_prototypes(
        pools, world.image_embeddings, world.images, k=k, mmr_lambda=lam, duplicate_similarity=0.98
    )
    rows = prototypes.to_pylist()
    first = {row["concept_id"]: row for row in pools.to_pylist() if row["pool_rank"] == 0}
    candidates = {(row["concept_id"], row["image_id"], row["relevance"]) for row in pools.to_pylist()}
    for row in rows:
        assert (row["concept_id"], row["image_id"], row["relevance"]) in candidates
        assert row["redundancy"] <= np.float32(0.98)
        if row["prototype_rank"] == 0:
            assert (row["image_id"], row["redundancy"]) == (first[row["concept_id"]]["image_id"], 0.0)
    assert {row["concept_id"] for row in rows} == set(first)
    assert all(row["prototype_rank"] < k for row in rows)
    shuffled = pools.take(np.random.default_rng(seed).permutation(pools.num_rows))
    assert prototypes.equals(
        select_prototypes(
            shuffled, world.image_embeddings, world.images, k=k, mmr_lambda=lam, duplicate_similarity=0.98
        )
    )


def test_the_same_bytes_are_chosen_once_even_if_the_pool_has_them_twice():
    rows = np.eye(3, dtype=np.float32)[[0, 0, 1]]
    images = table(
        "images",
        [
            {"image_id": i, "product_id": "p", "uri": "", "width": 1, "height": 1, "sha256": s}
            for i, s in [("a", "same"), ("b", "same"), ("c", "other")]
        ],
    )
    embeddings = embedding_table("image_embeddings", ["a", "b", "c"], rows, model="m", fingerprint="f")
    pools = table(
        "candidate_pools",
        [
            {"concept_id": "x", "pool_rank": n, "image_id": i, "relevance": r}
            for n, (i, r) in enumerate([("b", 0.9), ("a", 0.9), ("c", 0.1)])
        ],
    )
    chosen = select_prototypes(pools, embeddings, images, k=3, mmr_lambda=1.0, duplicate_similarity=1.0)
    assert chosen["image_id"].to_pylist() == ["a", "c"]


def test_a_candidate_without_an_embedding_is_an_error():
    world = random_world(3)
    pools = build_candidate_pools(*world.tables(), pool_size=8, gate=True)
    with pytest.raises(TableError, match="have no embedding"):
        select_prototypes(pools, world.image_embeddings.slice(1, 3), world.images, **SETTINGS)


def test_no_pools_no_prototypes():
    world = random_world(3)
    none = pa.Table.from_pylist([], schema=TABLES["candidate_pools"].schema)
    assert select_prototypes(none, world.image_embeddings, world.images, **SETTINGS).num_rows == 0
