"""Retrieval metrics over ranks: each takes the ranks of relevant items (from 1) and gives one number.

`first` is the rank of each query's best relevant item. A query without any relevant item is the caller's to leave out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from kgbuild.retrieval.ranks import Floats, Integers, RankedRelevance

TIES: Final = ("pessimistic", "realistic", "optimistic")


def recall_at_k(first: Floats, k: int) -> float:
    """Share of queries with any relevant item in the top k, 0-1."""
    return float(np.mean(first <= k))


def mean_reciprocal_rank(first: Floats) -> float:
    """Mean of 1 / rank of the best relevant item, 0-1."""
    return float(np.mean(1.0 / first))


def median_rank(first: Floats) -> float:
    """Median rank of the best relevant item, from 1."""
    return float(np.median(first))


def precision_at_k(ranks: Floats, starts: Integers, k: int) -> float:
    """Mean over queries of the share of relevant items among the top k, 0-1."""
    return float(np.mean(_sum_by_query(ranks <= k, starts) / k))


def mean_average_precision(ranks: Floats, starts: Integers) -> float:
    """Mean over queries of the mean, over relevant items, of the precision at their rank, 0-1."""
    place = np.arange(len(ranks)) - np.repeat(starts[:-1], np.diff(starts)) + 1
    return float(np.mean(_sum_by_query(place / ranks, starts) / np.diff(starts)))


def ndcg_at_k(ranks: Floats, starts: Integers, k: int) -> float:
    """Normalised discounted cumulative gain with binary gains: gain 1 / log2(1 + rank) up to rank k, over the best possible."""
    gains = np.where(ranks <= k, 1.0 / np.log2(1.0 + ranks), 0.0)
    ideal = np.cumsum(1.0 / np.log2(1.0 + np.arange(1, k + 1)))
    return float(np.mean(_sum_by_query(gains, starts) / ideal[np.minimum(np.diff(starts), k) - 1]))


def sum_r(*recalls: float) -> float:
    """The sum of recalls in percent; over R@1, R@5, R@10 of both directions it lies in 0-600."""
    return 100.0 * sum(recalls)


def first_ranks(ranked: RankedRelevance, ties: str) -> Floats:
    """(q,): the rank of each query's best relevant item under `ties`."""
    return ranked.ranks(ties)[ranked.starts[:-1]]


def all_metrics(ranked: RankedRelevance, *, cutoffs: tuple[int, ...] = (1, 5, 10)) -> Mapping[str, float]:
    """Every metric by name. Ties are pessimistic; names ending in _realistic and _optimistic say what ties hide."""
    ranks, first = ranked.ranks("pessimistic"), first_ranks(ranked, "pessimistic")
    found = {f"recall_at_{k}": recall_at_k(first, k) for k in cutoffs}
    found |= {f"precision_at_{k}": precision_at_k(ranks, ranked.starts, k) for k in (1, 10)}
    found |= {"mrr": mean_reciprocal_rank(first), "median_rank": median_rank(first)}
    found |= {"map": mean_average_precision(ranks, ranked.starts), "ndcg_at_10": ndcg_at_k(ranks, ranked.starts, 10)}
    for ties in TIES[1:]:
        first = first_ranks(ranked, ties)
        found |= {f"recall_at_1_{ties}": recall_at_k(first, 1), f"mrr_{ties}": mean_reciprocal_rank(first)}
        found[f"median_rank_{ties}"] = median_rank(first)
    return found


def _sum_by_query(values: npt.NDArray[np.bool_] | Floats, starts: Integers) -> Floats:
    """Sums of the runs `starts[i]:starts[i + 1]`, none of which is empty."""
    return np.add.reduceat(values.astype(np.float64), starts[:-1])
