"""Blockwise ranks against the full matrix sorted the slow way, and what must not matter."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgbuild.retrieval import Relevance, rank_first_column, rank_relevant, relevance_by_key


def unit(rng, n, d):
    rows = rng.normal(size=(n, d))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def oracle(queries, gallery, relevance):
    """Order the whole gallery twice, with irrelevant ties behind and before, and look the relevant items up."""
    optimistic, pessimistic = [], []
    similarities = np.round(queries.astype(np.float64) @ gallery.astype(np.float64).T, 8)
    for query, row in enumerate(similarities):
        own = set(relevance.items[relevance.starts[query] : relevance.starts[query + 1]].tolist())
        kind, pess = [], []
        for irrelevant_first, into in ((False, kind), (True, pess)):
            order = sorted(range(len(row)), key=lambda j: (-row[j], (j in own) == irrelevant_first, j))
            into.extend(place + 1 for place, j in enumerate(order) if j in own)
        optimistic += kind
        pessimistic += pess
    return np.array(optimistic, dtype=int), np.array(pessimistic, dtype=int)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10**6),
    st.integers(1, 12),
    st.integers(1, 30),
    st.integers(1, 7),
    st.integers(1, 9),
    st.integers(1, 8),
)
def test_blocks_agree_with_the_whole_matrix(seed, n_queries, n_gallery, query_block, gallery_block, n_keys):
    rng = np.random.default_rng(seed)
    gallery = unit(rng, n_gallery, 4)[rng.integers(0, n_gallery, n_gallery)]  # with repeats, so that there are ties
    queries = unit(rng, n_queries, 4)
    relevance = relevance_by_key(
        [str(key) for key in rng.integers(0, n_keys, n_queries)],
        [str(key) for key in rng.integers(0, n_keys, n_gallery)],
    )
    ranked = rank_relevant(queries, gallery, relevance, query_block=query_block, gallery_block=gallery_block)
    optimistic, pessimistic = oracle(queries, gallery, relevance)
    np.testing.assert_array_equal(ranked.optimistic, optimistic)
    np.testing.assert_array_equal(ranked.pessimistic, pessimistic)
    np.testing.assert_array_equal(ranked.realistic, (optimistic + pessimistic) / 2)


def test_many_relevant_items_take_the_searching_path():
    rng = np.random.default_rng(3)
    gallery, queries = np.repeat(unit(rng, 40, 6), 3, axis=0), unit(rng, 5, 6)
    relevance = relevance_by_key(["a", "b", "a", "none", "b"], ["a" if i % 3 else "b" for i in range(120)])
    ranked = rank_relevant(queries, gallery, relevance, query_block=2, gallery_block=50)
    optimistic, pessimistic = oracle(queries, gallery, relevance)
    np.testing.assert_array_equal(ranked.optimistic, optimistic)
    np.testing.assert_array_equal(ranked.pessimistic, pessimistic)
    assert ranked.starts.tolist() == [0, 80, 120, 200, 200, 240]


@pytest.mark.parametrize("copies", [1, 5, 64])
def test_equal_items_are_tied_wherever_a_block_ends(copies):
    """Equal embeddings must tie exactly though BLAS may round them differently at the edge of a block."""
    rng = np.random.default_rng(copies)
    one, other = unit(rng, 2, 33)
    gallery = np.vstack([np.repeat(one[None], copies, axis=0), other[None], one[None]])
    relevance = Relevance(np.array([0, 1]), np.array([copies + 1]))
    for block in (1, 2, 3, 7, 100):
        ranked = rank_relevant(one[None], gallery, relevance, gallery_block=block)
        assert (ranked.optimistic.tolist(), ranked.pessimistic.tolist()) == ([1], [1 + copies])


def test_permuting_the_gallery_changes_nothing():
    rng = np.random.default_rng(0)
    gallery, queries = unit(rng, 50, 8), unit(rng, 20, 8)
    keys, asked = [str(i % 17) for i in range(50)], [str(i % 17) for i in range(20)]
    order = rng.permutation(50)
    one = rank_relevant(queries, gallery, relevance_by_key(asked, keys))
    two = rank_relevant(queries, gallery[order], relevance_by_key(asked, [keys[i] for i in order]))
    np.testing.assert_array_equal(one.pessimistic, two.pessimistic)
    np.testing.assert_array_equal(one.optimistic, two.optimistic)


def test_a_gallery_of_its_own_for_each_query():
    table = [[0.5, 0.7, 0.5, 0.1], [0.9, 0.9, 0.9, -np.inf], [0.0, -0.5, -0.2, -np.inf]]
    ranked = rank_first_column(table)
    assert ranked.optimistic.tolist() == [2, 1, 1]
    assert ranked.pessimistic.tolist() == [3, 3, 1]
    assert ranked.realistic.tolist() == [2.5, 2.0, 1.0]
