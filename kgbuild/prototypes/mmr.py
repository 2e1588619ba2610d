"""Maximal marginal relevance: relevant pictures that are unlike each other."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def choose_diverse(
    relevance: npt.NDArray[np.float32],
    similarity: npt.NDArray[np.float32],
    *,
    k: int,
    mmr_lambda: float,
    duplicate_similarity: float,
) -> tuple[list[int], list[float]]:
    """Choose at most k of n candidates: the most relevant first, then always the one of the largest score.

    The score of v is mmr_lambda * relevance[v] - (1 - mmr_lambda) * redundancy[v], where redundancy[v] is the largest similarity
    of v to a chosen one. A candidate whose redundancy exceeds `duplicate_similarity` shows what is already shown and is never
    chosen. Ties go to the candidate that stands first.

    The largest similarity is kept as a running maximum, so the cost is O(k n) and not O(k^2 n).

    Args:
        relevance: (n,), similarity of each candidate to the concept.
        similarity: (n, n), of the candidates to each other.
        k: how many, at most.
        mmr_lambda: weight on relevance; 1.0 is pure relevance.
        duplicate_similarity: above this two candidates count as one; at 1.0 none do.

    Returns:
        the chosen in order, and the redundancy that each had when it was chosen (0.0 for the first).

    Source: Carbonell and Goldstein, SIGIR 1998.
    """
    n = len(relevance)
    redundancy = np.full(n, -np.inf)
    free = np.ones(n, np.bool_)
    chosen: list[int] = []
    cost: list[float] = []
    score = relevance.astype(np.float64)
    while free.any() and len(chosen) < k:
        best = int(np.argmax(np.where(free, score, -np.inf)))
        chosen.append(best)
        cost.append(float(redundancy[best]) if len(chosen) > 1 else 0.0)
        redundancy = np.maximum(redundancy, similarity[best])
        free[best] = False
        free &= redundancy <= duplicate_similarity
        score = mmr_lambda * relevance.astype(np.float64) - (1.0 - mmr_lambda) * redundancy
    return chosen, cost
