"""Edges as integers, for questions that walk a large hierarchy."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kgbuild.errors import TableError

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class NumberedEdges:
    """Edge i runs from concept `low[i]` up to `high[i]`; numbers ascend with the ids they stand for."""

    ids: pa.Array
    low: Ints
    high: Ints

    @classmethod
    def of(cls, edges: pa.Table) -> NumberedEdges:
        """Number the concepts of a table with `hyponym_id` and `hypernym_id`; the edges keep their order."""
        ends = [edges[name].combine_chunks().cast(pa.string()) for name in ("hyponym_id", "hypernym_id")]
        ids = pc.unique(pa.concat_arrays(ends))
        ids = ids.take(pc.sort_indices(ids))
        low, high = (pc.index_in(end, value_set=ids).to_numpy(zero_copy_only=False).astype(np.int64) for end in ends)
        return cls(ids, low, high)

    def upwards(self) -> tuple[Ints, Ints]:
        """(starts, hypernyms): directly above number i lie `hypernyms[starts[i] : starts[i + 1]]`."""
        return starts_of(self.low, len(self.ids)), self.high[np.argsort(self.low, kind="stable")]

    def levels(self) -> Ints:
        """The length of each number's longest path up, layer by layer, 0 for a root; raises TableError on a cycle."""
        waiting = np.bincount(self.low, minlength=len(self.ids))
        starts, down = starts_of(self.high, len(self.ids)), self.low[np.argsort(self.high, kind="stable")]
        level, depth = np.full(len(self.ids), -1), 0
        layer = np.flatnonzero(waiting == 0)
        while len(layer):
            level[layer] = depth
            below = down[expand(starts, layer)[1]]
            np.subtract.at(waiting, below, 1)
            layer, depth = distinct(below[waiting[below] == 0]), depth + 1
        self.refuse_cycle(np.flatnonzero(level < 0).tolist())
        return level

    def refuse_cycle(self, nodes: Collection[int]) -> None:
        """Raise TableError if there are any nodes, naming the least."""
        if len(nodes):
            name = self.ids[int(min(nodes))]
            raise TableError(f"the is-a edges run in a circle through {name}", "rebuild the hierarchy stage")


def distinct(keys: Ints) -> Ints:
    """Ascending, each once; `np.unique` hashes integers, which is many times slower on keys as regular as these."""
    if (keys[1:] > keys[:-1]).all():
        return keys
    ordered = np.sort(keys)
    return ordered[np.concatenate([[True], ordered[1:] != ordered[:-1]])] if len(ordered) else ordered


def found_in(keys: Ints, ordered: Ints) -> Bools:
    """Which of `keys` are in `ordered` (ascending)."""
    if not len(ordered):
        return np.zeros(len(keys), bool)
    return ordered[np.minimum(np.searchsorted(ordered, keys), len(ordered) - 1)] == keys


def ranked(values: pa.Array) -> tuple[Ints, pa.Array]:
    """Each value's rank among the distinct ones, and these in ascending order: for few distinct ones faster than sorting all."""
    encoded = values.dictionary_encode()
    order = pc.sort_indices(encoded.dictionary).to_numpy()
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return rank[encoded.indices.to_numpy(zero_copy_only=False)], encoded.dictionary.take(pa.array(order))


def starts_of(lists: Ints, n: int) -> Ints:
    """Where each of `n` lists starts, and the last ends, when entry i is of list `lists[i]`."""
    return np.concatenate([[0], np.cumsum(np.bincount(lists, minlength=n))])


def expand(starts: Ints, lists: Ints) -> tuple[Ints, Ints]:
    """For each entry of `lists`, all entries of that list: (place in `lists`, place in the values).

    The values of list i lie at `starts[i] : starts[i + 1]`.
    """
    sizes = starts[lists + 1] - starts[lists]
    place = np.repeat(np.arange(len(lists)), sizes)
    return place, np.arange(len(place)) + np.repeat(starts[lists] - np.cumsum(sizes) + sizes, sizes)
