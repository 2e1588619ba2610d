"""Blockwise search against the full matrix."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kgbuild.embeddings import search_top_k, torch_coarse
from kgbuild.vectors import exact_similarities


def unit_rows(rng, n, d, *, levels=0):
    rows = rng.integers(-levels, levels + 1, size=(n, d)) + 0.5 if levels else rng.normal(size=(n, d))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32).reshape(n, d)


def full_matrix(queries, gallery, k):
    similarities = exact_similarities(queries[:, None, :], gallery[None, :, :])
    order = np.lexsort((np.broadcast_to(np.arange(len(gallery)), similarities.shape), -similarities), axis=1)[:, :k]
    return order, np.take_along_axis(similarities, order, axis=1)


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    q=st.integers(0, 5),
    n=st.integers(0, 90),
    k=st.integers(1, 12),
    block=st.integers(1, 100),
    levels=st.sampled_from([0, 1]),
)
def test_same_as_the_full_matrix_for_any_block_size(seed, q, n, k, block, levels):
    rng = np.random.default_rng(seed)
    queries, gallery = unit_rows(rng, q, 3, levels=levels), unit_rows(rng, n, 3, levels=levels)
    places, similarities = search_top_k(queries, gallery, k=k, block_rows=block)
    expected_places, expected = full_matrix(queries, gallery, k)
    np.testing.assert_array_equal(places, expected_places)
    np.testing.assert_array_equal(similarities, expected)


@pytest.mark.parametrize(
    "device", ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"))]
)
def test_torch_finds_the_same_bits(device):
    rng = np.random.default_rng(0)
    queries, gallery = unit_rows(rng, 300, 32), unit_rows(rng, 2000, 32)
    gallery[500:1000] = gallery[:500]  # exact ties across blocks
    expected = search_top_k(queries, gallery, k=10)
    found = search_top_k(queries, gallery, k=10, block_rows=700, coarse=torch_coarse(torch.device(device)))
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])


def test_a_rough_search_that_errs_within_its_bound_changes_nothing():
    """Near ties that float32 sums order wrongly come out in the right order."""
    rng = np.random.default_rng(1)
    gallery = np.repeat(unit_rows(rng, 1, 64), 400, axis=0)
    gallery += rng.normal(scale=2e-8, size=gallery.shape).astype(np.float32)
    queries = unit_rows(rng, 4, 64)

    def shaky(left, right, m):
        rough = left @ right.T
        rough += rng.uniform(-1e-7, 1e-7, size=rough.shape).astype(np.float32)
        places = np.argsort(-rough, axis=1)[:, :m]
        return places, np.take_along_axis(rough, places, axis=1)

    expected = full_matrix(queries, gallery, 5)
    for block in (64, 400):
        found = search_top_k(queries, gallery, k=5, block_rows=block, coarse=shaky)
        np.testing.assert_array_equal(found[0], expected[0])
        np.testing.assert_array_equal(found[1], expected[1])
