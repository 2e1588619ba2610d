"""MMR against the definition, written out naively, and against a brute-force first step."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgbuild.prototypes import choose_diverse
from prototypes.world import naive_mmr


def unit_rows(rng, n, d):
    rows = rng.normal(size=(n, d))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(0, 25),
    k=st.integers(1, 12),
    lam=st.sampled_from([0.0, 0.2, 0.5, 0.7, 1.0]),
    duplicate=st.sampled_from([0.3, 0.7, 0.98, 1.0]),
    coarse=st.booleans(),
)
def test_same_as_the_definition(seed, n, k, lam, duplicate, coarse):
    rng = np.random.default_rng(seed)
    rows, query = unit_rows(rng, n, 4), unit_rows(rng, 1, 4)[0]
    relevance, similarity = rows @ query, rows @ rows.T
    if coarse:  # few distinct values: many ties
        relevance, similarity = np.round(relevance, 1), np.round(similarity, 1)
    found = choose_diverse(relevance, similarity, k=k, mmr_lambda=lam, duplicate_similarity=duplicate)
    assert found == naive_mmr(relevance, similarity, k, lam, duplicate)


def test_lambda_one_is_the_order_of_relevance():
    rng = np.random.default_rng(1)
    rows = unit_rows(rng, 30, 8)
    relevance = rows @ unit_rows(rng, 1, 8)[0]
    chosen, _ = choose_diverse(relevance, rows @ rows.T, k=10, mmr_lambda=1.0, duplicate_similarity=1.0)
    assert chosen == np.argsort(-relevance, kind="stable")[:10].tolist()


def test_lambda_zero_takes_the_farthest_after_the_first():
    rng = np.random.default_rng(2)
    rows = unit_rows(rng, 40, 8)
    relevance, similarity = rows @ unit_rows(rng, 1, 8)[0], rows @ rows.T
    chosen, cost = choose_diverse(relevance, similarity, k=2, mmr_lambda=0.0, duplicate_similarity=1.0)
    assert chosen[0] == int(np.argmax(relevance))
    assert chosen[1] == int(np.argmin(similarity[chosen[0]]))
    assert cost == [0.0, pytest.approx(float(similarity[chosen[0]].min()))]


def test_no_two_chosen_are_near_identical():
    rng = np.random.default_rng(3)
    base = unit_rows(rng, 6, 16)
    rows = np.repeat(base, 5, axis=0) + 1e-3 * rng.normal(size=(30, 16)).astype(np.float32)
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    similarity = rows @ rows.T
    chosen, cost = choose_diverse(rows @ base[0], similarity, k=10, mmr_lambda=1.0, duplicate_similarity=0.98)
    assert sorted(index // 5 for index in chosen) == list(range(6))
    assert max(cost) <= 0.98
