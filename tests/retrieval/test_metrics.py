"""Metrics on rankings small enough to do by hand, and against scikit-learn."""

import math

import numpy as np
import pytest

from kgbuild.retrieval.metrics import (
    all_metrics,
    mean_average_precision,
    mean_reciprocal_rank,
    median_rank,
    ndcg_at_k,
    precision_at_k,
    recall_at_k,
    sum_r,
)
from kgbuild.retrieval.ranks import RankedRelevance, rank_relevant, relevance_by_key

RANKS = np.array([1.0, 3.0, 2.0, 12.0, 40.0])  # two queries: relevant items at 1 and 3; at 2, 12 and 40
STARTS = np.array([0, 2, 5])
FIRST = RANKS[STARTS[:-1]]


def test_by_hand():
    assert recall_at_k(FIRST, 1) == 0.5
    assert recall_at_k(FIRST, 5) == 1.0
    assert mean_reciprocal_rank(FIRST) == 0.75
    assert median_rank(FIRST) == 1.5
    assert precision_at_k(RANKS, STARTS, 10) == pytest.approx((2 / 10 + 1 / 10) / 2)
    assert mean_average_precision(RANKS, STARTS) == pytest.approx(((1 + 2 / 3) / 2 + (1 / 2 + 2 / 12 + 3 / 40) / 3) / 2)
    ideal = 1 + 1 / math.log2(3)
    one, two = (1 + 1 / 2) / ideal, (1 / math.log2(3)) / (ideal + 1 / 2)
    assert ndcg_at_k(RANKS, STARTS, 10) == pytest.approx((one + two) / 2)
    assert sum_r(0.5, 1.0, 1.0, 0.25, 0.5, 0.75) == 400.0


def test_agrees_with_scikit_learn_where_there_are_no_ties():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(5)
    gallery = rng.normal(size=(60, 12)).astype(np.float32)
    gallery /= np.linalg.norm(gallery, axis=1, keepdims=True)
    queries = gallery[:9]
    keys, asked = [str(i % 7) for i in range(60)], [str(i % 5) for i in range(9)]
    found = all_metrics(rank_relevant(queries, gallery, relevance_by_key(asked, keys)))
    truth = np.array([[own == key for key in keys] for own in asked])
    scores = queries.astype(np.float64) @ gallery.astype(np.float64).T
    expected = np.mean([metrics.average_precision_score(t, s) for t, s in zip(truth, scores, strict=True)])
    assert found["map"] == pytest.approx(expected)
    assert found["ndcg_at_10"] == pytest.approx(metrics.ndcg_score(truth, scores, k=10))


def test_what_ties_hide_is_shown():
    ranked = RankedRelevance(np.array([0, 1]), np.array([1]), np.array([5]))
    found = all_metrics(ranked)
    assert (found["recall_at_1"], found["recall_at_1_realistic"], found["recall_at_1_optimistic"]) == (0.0, 0.0, 1.0)
    assert (found["median_rank"], found["median_rank_realistic"], found["median_rank_optimistic"]) == (5.0, 3.0, 1.0)
