"""The company that names keep, counted in products: what one name's neighbours say about another.

An item (a word, a head, a modifier unit) has features: the heads and units it stands with, the categories of its products. A
feature is counted once for each product and maximal concept that shows it, so everything here is linear in the number of concepts
and of mentions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from kgbuild.language.counts import Counts, Ints, Ragged, sums

Floats = npt.NDArray[np.float64]

_AT_ONCE: Final = 1 << 20

SMOOTHING: Final = 5.0
"""Counts' worth of the catalogue's own distribution that is mixed into an item's, so that few products prove little."""


@dataclass(frozen=True)
class Company:
    """One row for each (item, feature), ascending, and how often it is shown; `width` is the number of features."""

    item: Ints
    feature: Ints
    count: Ints
    n_items: int
    width: int

    @classmethod
    def of(cls, item: Ints, feature: Ints, count: Ints, *, n_items: int, width: int) -> Company:
        """Add up equal pairs."""
        keys = item * width + feature
        distinct, place = np.unique(keys, return_inverse=True)
        items, features = np.divmod(distinct, max(width, 1))
        return cls(items, features, sums(place, count, len(distinct)), n_items, width)

    def explained(self, pairs: Sequence[tuple[int, int]]) -> Floats:
        """For each (a, b): how much better b's company foretells a's than the whole catalogue does, in nats a feature.

        The mean over a's features f (weighted by their counts) of ln P(f | b) / P(f), b's distribution smoothed by `SMOOTHING`. About
        0 for strangers, below 0 where b keeps other company; what a itself would reach is `explained([(a, a)])`.
        """
        first, second = np.array(pairs, np.int64).reshape(-1, 2).T
        starts = np.searchsorted(self.item, np.arange(self.n_items + 1))
        total = sums(self.item, self.count, self.n_items)
        share = sums(self.feature, self.count, self.width) / max(1, self.count.sum())
        ends = np.cumsum((starts[1:] - starts[:-1])[first])
        gained = np.zeros(len(pairs))
        # A few pairs at a time: all their features at once would be many.
        pieces = np.unique(np.append(np.searchsorted(ends, np.arange(0, ends[-1:].sum(), _AT_ONCE)), len(pairs)))
        for begin, stop in pairwise([0, *pieces.tolist()]):
            some, others = first[begin:stop], second[begin:stop]
            lengths = (starts[1:] - starts[:-1])[some]
            row = np.repeat(np.arange(len(some)), lengths)
            at = np.arange(len(row)) + np.repeat(starts[some] - np.cumsum(lengths) + lengths, lengths)
            feature = self.feature[at]
            mixed = self._counts(others[row], feature) + SMOOTHING * share[feature]
            lift = np.log(mixed / (total[others[row]] + SMOOTHING) / share[feature])
            gained[begin:stop] = np.bincount(row, weights=self.count[at] * lift, minlength=len(some))
        return gained / np.maximum(total[first], 1)

    def _counts(self, item: Ints, feature: Ints) -> Ints:
        """The count of each pair, 0 where it is not there."""
        keys, wanted = self.item * self.width + self.feature, item * self.width + feature
        at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        return np.where(keys[at] == wanted, self.count[at], 0)


@dataclass(frozen=True)
class Said:
    """Items by number, the number of products that say each, and their company."""

    names: list[str]
    support: dict[str, int]
    company: Company

    def explained(self, pairs: Sequence[tuple[str, str]]) -> Floats:
        """As `Company.explained`, for names."""
        number = {name: place for place, name in enumerate(self.names)}
        return self.company.explained([(number[a], number[b]) for a, b in pairs])

    def similarity(self, pairs: Sequence[tuple[str, str]]) -> tuple[Floats, Floats]:
        """For each (a, b): the nats by which b explains a, and these as a share of what a itself would reach (1 is the most)."""
        nats = self.explained(pairs)
        once = sorted({a for a, _ in pairs})
        own = dict(zip(once, self.explained([(a, a) for a in once]).tolist(), strict=True))
        return nats, np.minimum(1.0, nats / np.maximum([own[a] for a, _ in pairs], 0.1))


def count_company(phrases: Iterable[Iterable[tuple[str, str]]], counts: Counts, category: Ints) -> Said:
    """The company of items in phrases.

    Args:
        phrases: for each phrase of `counts` its (item, feature) pairs; a feature "" adds the item alone.
        counts: who says the phrases.
        category: the number of each product's category.
    """
    items: dict[str, int] = {}
    features: dict[str, int] = {}
    pairs: dict[tuple[int, int], int] = {}
    in_phrase: list[set[int]] = []
    pair_lists: list[list[int]] = []
    for phrase in phrases:
        numbered = {
            (items.setdefault(item, len(items)), features.setdefault(feature, len(features)))
            for item, feature in phrase
        }
        in_phrase.append({item for item, _ in numbered})
        pair_lists.append(
            [pairs.setdefault(pair, len(pairs)) for pair in sorted(numbered) if pair[1] != features.get("")]
        )
    said = counts.spread(Ragged.of([sorted(some) for some in in_phrase]))
    products = np.bincount(counts.phrase, minlength=len(in_phrase))
    rows, values = Ragged.of(pair_lists).expand(np.arange(len(pair_lists)))
    told = sums(values, products[rows], len(pairs))
    item, feature = np.array(list(pairs), np.int64).reshape(-1, 2).T
    company = Company.of(
        np.concatenate([item, said.phrase]),
        np.concatenate([feature, len(features) + category[said.product]]),
        np.concatenate([told, np.ones(len(said.phrase), np.int64)]),
        n_items=len(items),
        width=len(features) + int(category.max(initial=0)) + 1,
    )
    names = list(items)
    support = np.bincount(said.phrase, minlength=len(names)).tolist()
    return Said(names, dict(zip(names, support, strict=True)), company)
