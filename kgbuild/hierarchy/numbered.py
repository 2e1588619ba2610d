"""Edges as integers, for questions that walk a large hierarchy."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise

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

    def hypernyms(self) -> list[list[int]]:
        """The numbers directly above each number, ascending."""
        order = np.lexsort((self.high, self.low))
        ends = np.cumsum(np.bincount(self.low, minlength=len(self.ids))).tolist()
        above = self.high[order].tolist()
        return [above[start:stop] for start, stop in pairwise([0, *ends])]

    def upper_first(self) -> list[int]:
        """All numbers, hypernyms before their hyponyms (Kahn); raises TableError on a cycle."""
        waiting = np.bincount(self.low, minlength=len(self.ids)).tolist()
        down: list[list[int]] = [[] for _ in waiting]
        for low, high in zip(self.low.tolist(), self.high.tolist(), strict=True):
            down[high].append(low)
        order = [node for node, left in enumerate(waiting) if not left]
        for node in order:  # grows while it is walked
            for hyponym in down[node]:
                waiting[hyponym] -= 1
                if not waiting[hyponym]:
                    order.append(hyponym)
        self.refuse_cycle([node for node, left in enumerate(waiting) if left])
        return order

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
