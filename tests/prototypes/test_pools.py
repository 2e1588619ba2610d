"""Candidate pools against a plain loop over all pairs."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgbuild.prototypes import build_candidate_pools, concepts_without_images
from kgbuild.tables import TABLES
from kgbuild.vectors import as_matrix, exact_similarities
from prototypes.world import random_world


def plain_pools(world, pool_size, gate):
    below = {(row["hypernym_id"], row["hyponym_id"]) for row in world.closure.to_pylist()}
    mentions = {(row["product_id"], row["concept_id"]) for row in world.product_concepts.to_pylist()}
    queries = dict(zip(world.concept_embeddings["id"].to_pylist(), as_matrix(world.concept_embeddings), strict=True))
    vectors = dict(zip(world.image_embeddings["id"].to_pylist(), as_matrix(world.image_embeddings), strict=True))
    rows = []
    for concept in sorted(queries):
        family = {concept} | {low for high, low in below if high == concept}
        best = {}
        for image in sorted(world.images.to_pylist(), key=lambda row: row["image_id"]):
            fits = not gate or any((image["product_id"], member) in mentions for member in family)
            if fits and image["image_id"] in vectors:
                best.setdefault(image["sha256"], image["image_id"])
        ranked = sorted((-float(exact_similarities(queries[concept], vectors[i])), i) for i in best.values())
        rows += [(concept, rank, i, -s) for rank, (s, i) in enumerate(ranked[:pool_size])]
    return rows


def as_rows(pools):
    return [tuple(row.values()) for row in pools.to_pylist()]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), pool_size=st.integers(1, 12), gate=st.booleans(), grid=st.booleans())
def test_same_as_a_loop_over_all_pairs(seed, pool_size, gate, grid):
    world = random_world(seed, grid=grid)
    pools = build_candidate_pools(*world.tables(), pool_size=pool_size, gate=gate)
    assert pools.schema.equals(TABLES["candidate_pools"].schema)
    assert as_rows(pools) == plain_pools(world, pool_size, gate)


@pytest.mark.parametrize("gate", [True, False])
def test_shards_of_concepts_make_the_whole(gate):
    world = random_world(5, n_concepts=20)
    whole = build_candidate_pools(*world.tables(), pool_size=6, gate=gate)
    _, *rest = world.tables()
    parts = [
        build_candidate_pools(world.concepts.slice(start, 7), *rest, pool_size=6, gate=gate)
        for start in range(0, 20, 7)
    ]
    assert pa.concat_tables(parts).equals(whole)


def test_order_of_the_input_rows_does_not_matter():
    world = random_world(6)
    concepts, product_concepts, closure, images, concept_embeddings, image_embeddings = (
        table.take(list(reversed(range(table.num_rows)))) for table in world.tables()
    )
    shuffled = build_candidate_pools(
        concepts, product_concepts, closure, images, concept_embeddings, image_embeddings, pool_size=5, gate=True
    )
    assert shuffled.equals(build_candidate_pools(*world.tables(), pool_size=5, gate=True))


def test_without_anything_there_are_no_pools():
    world = random_world(7)
    empty = [table.slice(0, 0) for table in world.tables()]
    for gate in (True, False):
        assert build_candidate_pools(*empty, pool_size=5, gate=gate).num_rows == 0
        assert build_candidate_pools(world.concepts, *empty[1:], pool_size=5, gate=gate).num_rows == 0


def test_a_concept_without_images_is_named():
    world = random_world(8)
    pools = build_candidate_pools(*world.tables(), pool_size=5, gate=True)
    missing = set(world.concepts["concept_id"].to_pylist()) - set(pools["concept_id"].to_pylist())
    rejects = concepts_without_images(world.concepts, pools)
    assert missing
    assert rejects["key"].to_pylist() == sorted(missing)
    assert set(rejects["reason"].to_pylist()) == {"no_image"}
