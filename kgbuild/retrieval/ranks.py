"""Where the relevant items of a query stand when a gallery is ordered by cosine similarity, ties told apart.

Similarities are computed in float64 from float32 embeddings and two that differ by at most TIE count as tied: TIE is far below
what a float32 embedding can tell apart and far above float64 rounding, so the ranks do not depend on block sizes, on threads,
or on the order of the gallery. After pykeen's definitions, with ties among relevant items left out of the count.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from kgbuild.ports import Embeddings

TIE: Final = 1e-9
"""Cosine similarities closer than this are tied."""

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
_FEW: Final = 4  # relevant items a query up to which comparing beats searching


@dataclass(frozen=True)
class Relevance:
    """Which gallery items are relevant to which query: those of query i are `items[starts[i]:starts[i + 1]]`."""

    starts: Integers
    items: Integers

    @property
    def n_queries(self) -> int:
        """The number of queries."""
        return len(self.starts) - 1


@dataclass(frozen=True)
class RankedRelevance:
    """The ranks, from 1, of all relevant items, best first within a query; `starts` as in `Relevance`.

    Optimistic puts a relevant item before, pessimistic behind the irrelevant items it is tied with.
    """

    starts: Integers
    optimistic: Integers
    pessimistic: Integers

    @property
    def realistic(self) -> Floats:
        """The mean of the optimistic and the pessimistic rank."""
        return (self.optimistic + self.pessimistic) / 2

    def ranks(self, ties: str) -> Floats:
        """The ranks under `ties`: "pessimistic", "realistic" or "optimistic"."""
        chosen = {"pessimistic": self.pessimistic, "realistic": self.realistic, "optimistic": self.optimistic}
        return chosen[ties].astype(np.float64)


def relevance_by_key(query_keys: Sequence[str], gallery_keys: Sequence[str]) -> Relevance:
    """An item is relevant to a query when both have the same key (a product, a title, a category)."""
    places: dict[str, list[int]] = {}
    for place, key in enumerate(gallery_keys):
        places.setdefault(key, []).append(place)
    found = [places.get(key, []) for key in query_keys]
    starts = np.concatenate([[0], np.cumsum([len(one) for one in found], dtype=np.int64)]).astype(np.int64)
    return Relevance(starts, np.array([place for one in found for place in one], dtype=np.int64))


def rank_relevant(
    queries: Embeddings,
    gallery: Embeddings,
    relevance: Relevance,
    *,
    query_block: int = 512,
    gallery_block: int = 8_192,
) -> RankedRelevance:
    """Rank every relevant item of every query in the whole gallery, exactly, in blocks.

    Args:
        queries: (q, d), L2-normalised.
        gallery: (g, d), L2-normalised.
        relevance: for q queries, with items below g.
        query_block: rows of a block; memory is about 8 bytes * query_block * gallery_block, twice.
        gallery_block: columns of a block.
    """
    similar = np.empty(len(relevance.items), dtype=np.float64)
    above = np.zeros(len(relevance.items), dtype=np.int64)
    tied = np.zeros(len(relevance.items), dtype=np.int64)
    for first in range(0, relevance.n_queries, query_block):
        starts = relevance.starts[first : first + query_block + 1]
        own = slice(int(starts[0]), int(starts[-1]))
        rows = queries[first : first + len(starts) - 1].astype(np.float64)
        similar[own] = _relevant_similarities(rows, gallery, relevance.items[own], starts - starts[0])
        order = _best_first(similar[own], starts - starts[0])
        similar[own] = similar[own][order]
        for start in range(0, len(gallery), gallery_block):
            block = rows @ gallery[start : start + gallery_block].astype(np.float64).T
            _count(block, similar[own], starts - starts[0], above[own], tied[own])
        _leave_out_relevant(similar[own], starts - starts[0], above[own], tied[own])
    place = np.arange(len(similar)) - np.repeat(relevance.starts[:-1], np.diff(relevance.starts)) + 1
    return RankedRelevance(relevance.starts, place + above, place + above + tied)


def rank_first_column(similarities: npt.ArrayLike) -> RankedRelevance:
    """Rank the item of column 0 among all columns of an (n, m) matrix: a gallery of its own for each query.

    A column that a query does not use holds -inf.
    """
    table = np.asarray(similarities, dtype=np.float64)
    own, others = table[:, :1], table[:, 1:]
    above = np.count_nonzero(others > own + TIE, axis=1)
    level = np.count_nonzero(others >= own - TIE, axis=1)
    return RankedRelevance(np.arange(len(table) + 1), 1 + above, 1 + level)


def _relevant_similarities(rows: Floats, gallery: Embeddings, items: Integers, starts: Integers) -> Floats:
    """(len(items),): the similarity of each relevant item to its query, a slice of items at a time."""
    owner = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    parts = [
        np.einsum("nd,nd->n", rows[owner[i : i + 8_192]], gallery[items[i : i + 8_192]].astype(np.float64))
        for i in range(0, len(items), 8_192)
    ]
    return np.concatenate(parts) if parts else np.empty(0)


def _best_first(similar: Floats, starts: Integers) -> Integers:
    """The order that sorts each query's similarities downwards and keeps the queries apart."""
    owner = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    return np.lexsort((-similar, owner))


def _count(block: Floats, similar: Floats, starts: Integers, above: Integers, tied: Integers) -> None:
    """Add to `above` and `tied` how many columns of `block` lie above, or level with, each relevant item."""
    counts = np.diff(starts)
    if counts.max(initial=0) <= _FEW:
        for nth in range(int(counts.max(initial=0))):
            has = np.flatnonzero(counts > nth)
            at, rows = starts[has] + nth, block[has]
            higher = np.count_nonzero(rows > similar[at, None] + TIE, axis=1)
            above[at] += higher
            tied[at] += np.count_nonzero(rows >= similar[at, None] - TIE, axis=1) - higher
        return
    for row, (start, end) in zip(np.sort(block, axis=1), itertools.pairwise(starts), strict=True):
        higher, level = _above_and_level(row, similar[start:end])
        above[start:end] += higher
        tied[start:end] += level


def _leave_out_relevant(similar: Floats, starts: Integers, above: Integers, tied: Integers) -> None:
    """Take the relevant items themselves out of the counts: what is left are irrelevant ones."""
    for start, end in itertools.pairwise(starts):
        own = similar[start:end]
        higher, level = _above_and_level(own[::-1], own)
        above[start:end] = np.maximum(above[start:end] - higher, 0)
        tied[start:end] = np.maximum(tied[start:end] - level, 0)


def _above_and_level(ascending: Floats, values: Floats) -> tuple[Integers, Integers]:
    """For each value: how many of `ascending` lie above it, and how many are tied with it."""
    up_to = np.searchsorted(ascending, values + TIE, side="right")
    below = np.searchsorted(ascending, values - TIE, side="left")
    return len(ascending) - up_to, up_to - below
