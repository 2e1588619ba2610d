"""Concepts as integers: heads, modifier units and what may stand in a unit's place, in whole columns."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kgbuild.hierarchy.numbered import Ints, distinct, expand, found_in, ranked, starts_of
from kgbuild.subsumption import broader_units

Keys = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class NumberedConcepts:
    """A concepts table in the order of its ids, all names as numbers; heads and units are numbered by the alphabet.

    Concept i has the head `heads[i]` and the units `units[starts[i] : starts[i + 1]]`, ascending.
    """

    ids: pa.Array
    heads: Ints
    starts: Ints
    units: Ints
    n_products: Ints
    head_names: list[str]
    unit_names: list[str]

    @classmethod
    def of(cls, table: pa.Table) -> NumberedConcepts:
        """Number a concepts table, whatever the order of its rows and units."""
        table = table.select(["concept_id", "head_noun", "modifiers", "n_products"]).combine_chunks()
        ids = _whole(table["concept_id"])
        if len(ids) > 1 and not pc.all(pc.less_equal(ids[:-1], ids[1:])).as_py():
            table = table.sort_by("concept_id")
            ids = _whole(table["concept_id"])
        heads, head_names = ranked(_whole(table["head_noun"]))
        units, unit_names = ranked(_whole(pc.list_flatten(table["modifiers"])))
        sizes = _whole(pc.list_value_length(table["modifiers"])).to_numpy(zero_copy_only=False)
        width = max(len(unit_names), 1)
        rows, units = np.divmod(distinct(np.repeat(np.arange(len(ids)), sizes) * width + units), width)
        starts = starts_of(rows, len(ids))
        n_products = _whole(table["n_products"]).to_numpy(zero_copy_only=False)
        return cls(ids, heads, starts, units, n_products, head_names.to_pylist(), unit_names.to_pylist())

    @cached_property
    def rows(self) -> Ints:
        """The concept of each entry of `units`."""
        return np.repeat(np.arange(len(self.ids)), np.diff(self.starts))

    def only(self, rows: Ints) -> NumberedConcepts:
        """Some of the concepts; the numbers of heads and units stay."""
        sizes, at = np.diff(self.starts)[rows], expand(self.starts, rows)[1]
        starts = np.concatenate([[0], np.cumsum(sizes)])
        some = self.ids.take(pa.array(rows)), self.heads[rows], starts, self.units[at], self.n_products[rows]
        return NumberedConcepts(*some, self.head_names, self.unit_names)

    def units_of(self, row: int) -> Ints:
        """The units of one concept."""
        return self.units[self.starts[row] : self.starts[row + 1]]

    def names_of(self, row: int) -> frozenset[str]:
        """The units of one concept in words."""
        return frozenset(self.unit_names[unit] for unit in self.units_of(row).tolist())

    def keys(self) -> tuple[Keys, Keys]:
        """Keys of all units, random 64-bit numbers, and of all concepts: the sums of those of their units.

        So leaving out or exchanging a unit is a subtraction or an addition. Of 1e6 concepts of one head two share a key once in
        4e7 tables; results do not depend on the numbers otherwise.
        """
        units = np.random.default_rng(0).integers(0, 2**64, len(self.unit_names), dtype=np.uint64)
        sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(units[self.units])])  # runs over, as it may
        return units, sums[self.starts[1:]] - sums[self.starts[:-1]]


@dataclass(frozen=True)
class Broader:
    """Which units generalise which: the units `general[starts[u] : starts[u + 1]]` do so for unit u, those of most words first."""

    starts: Ints
    general: Ints

    @classmethod
    def among(cls, unit_names: list[str]) -> Broader:
        """The generalisations among `unit_names` (`kgbuild.subsumption.generalises_unit`)."""
        number = {name: place for place, name in enumerate(unit_names)}
        found = [(number[one], number[other]) for one, others in broader_units(unit_names).items() for other in others]
        pairs = np.array(sorted(found, key=lambda pair: pair[0]), np.int64).reshape(-1, 2)
        return cls(starts_of(pairs[:, 0], len(unit_names)), pairs[:, 1])

    @classmethod
    def none(cls, n_units: int) -> Broader:
        """No unit generalises another."""
        return cls(np.zeros(n_units + 1, np.int64), np.zeros(0, np.int64))

    def of(self, unit: int) -> list[int]:
        """What generalises one unit."""
        return self.general[self.starts[unit] : self.starts[unit + 1]].tolist()

    def specific(self) -> Ints:
        """The unit that each entry of `general` generalises."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))

    def within(self, head_units: Ints) -> Broader:
        """The same for (head, unit) pairs, numbered by their place in `head_units` (head * units + unit, ascending)."""
        n_units = len(self.starts) - 1
        heads, units = np.divmod(head_units, max(n_units, 1))
        place, at = expand(self.starts, units)
        wanted = heads[place] * n_units + self.general[at]
        there = found_in(wanted, head_units)
        return Broader(starts_of(place[there], len(head_units)), np.searchsorted(head_units, wanted[there]))


def _whole(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
