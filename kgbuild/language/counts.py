"""Counting who mentions what, in whole columns: ragged lists of numbers, and (phrase, product) pairs with their mentions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kgbuild.errors import TableError

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Ragged:
    """Lists of integers end to end: list i is `values[starts[i] : starts[i + 1]]`."""

    starts: Ints
    values: Ints

    @classmethod
    def of(cls, lists: Iterable[Sequence[int]]) -> Ragged:
        """Pack lists."""
        lengths: list[int] = []

        def flat() -> Iterator[int]:
            for one in lists:
                lengths.append(len(one))
                yield from one

        values = np.fromiter(flat(), np.int64)
        return cls(np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]), values)

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __iter__(self) -> Iterator[list[int]]:
        starts = self.starts.tolist()
        return (self.values[start:stop].tolist() for start, stop in pairwise(starts))

    def expand(self, rows: Ints) -> tuple[Ints, Ints]:
        """For each of `rows` all values of its list: (positions in `rows`, values)."""
        counts = self.starts[rows + 1] - self.starts[rows]
        positions = np.repeat(np.arange(len(rows)), counts)
        first = np.repeat(self.starts[rows] - np.cumsum(counts) + counts, counts)
        return positions, self.values[first + np.arange(len(positions))]

    def filtered(self, wanted: npt.NDArray[np.bool_]) -> Ragged:
        """Only the values v with `wanted[v]`, renumbered in their order."""
        rows, values = self.expand(np.arange(len(self)))
        left = wanted[values]
        ends = np.cumsum(np.bincount(rows[left], minlength=len(self)))
        return Ragged(np.concatenate([[0], ends]), (np.cumsum(wanted) - 1)[values[left]])


@dataclass(frozen=True)
class Counts:
    """One row for each distinct (phrase, product), ascending, with the number of mentions; `width` is the number of products."""

    phrase: Ints
    product: Ints
    mentions: Ints
    width: int

    @classmethod
    def of(cls, phrase: Ints, product: Ints, mentions: Ints, width: int) -> Counts:
        """Join equal pairs, adding up their mentions."""
        keys = phrase * width + product
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        first = np.flatnonzero(np.diff(keys, prepend=-1))
        distinct_phrase, distinct_product = np.divmod(keys[first], max(width, 1))
        summed = np.add.reduceat(mentions[order], first) if len(first) else mentions[:0]
        return cls(distinct_phrase, distinct_product, summed, width)

    def renamed(self, new_phrase: Ints) -> Counts:
        """The counts after phrase i became `new_phrase[i]`; several may become one."""
        return Counts.of(new_phrase[self.phrase], self.product, self.mentions, self.width)

    def spread(self, over: Ragged) -> Counts:
        """The counts of what phrases fall under: `over` lists that for each phrase."""
        rows, values = over.expand(self.phrase)
        return Counts.of(values, self.product[rows], self.mentions[rows], self.width)

    def only(self, rows: npt.NDArray[np.bool_]) -> Counts:
        """Some of the rows."""
        return Counts(self.phrase[rows], self.product[rows], self.mentions[rows], self.width)

    def keys(self) -> Ints:
        """One number for each row, ascending; equal in two tables of the same width for the same pair."""
        return self.phrase * self.width + self.product


def count_phrases(mentions: pa.Table, texts: pa.Table) -> tuple[pa.Table, Counts, list[str]]:
    """The distinct maximal concepts (concept_id, head_noun, modifiers), who mentions them, and the product ids by number.

    Raises:
        TableError: a mention's text is not in `texts`.
    """
    place = pc.index_in(mentions["text_id"], value_set=texts["text_id"].combine_chunks())
    if place.null_count:
        orphan = mentions["text_id"].filter(pc.is_null(place))[0]
        raise TableError(f"{place.null_count} mentions lie in texts that are not there, for example {orphan}")
    products = texts["product_id"].take(place).combine_chunks().dictionary_encode()
    concepts = mentions["concept_id"].combine_chunks().dictionary_encode()
    phrase, product = (column.indices.to_numpy().astype(np.int64) for column in (concepts, products))
    _, first = np.unique(phrase, return_index=True)
    phrases = mentions.select(["concept_id", "head_noun", "modifiers"]).take(pa.array(first))
    counts = Counts.of(phrase, product, np.ones(len(phrase), np.int64), len(products.dictionary))
    return phrases, counts, products.dictionary.to_pylist()


def sums(group: Ints, amount: Ints, n_groups: int) -> Ints:
    """The sum of `amount` in each group, exact below 2**53."""
    return np.bincount(group, weights=amount, minlength=n_groups).astype(np.int64)
