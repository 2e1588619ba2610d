"""What may stand in the place of each modifier unit of each head, and concepts grouped by the lattice these choices make."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from kgbuild.hierarchy.numbered import Ints, distinct, ranked
from kgbuild.hierarchy.units import Broader, Keys, NumberedConcepts

Below = tuple[tuple[int, ...], ...]
"""The choices for one unit, narrowest first: which others lie strictly below each. The first is to let it stand."""


@dataclass(frozen=True)
class Choices:
    """What may stand in the place of each unit of each head; a pair is a unit of a head.

    Attributes:
        pairs: the pair of each entry of the concepts' units.
        keys: the key of each pair's unit.
        broader: which pairs generalise which.
        kind: the kind of each pair; its choices are in order as `below[kind]` says.
    """

    pairs: Ints
    keys: Keys
    broader: Broader
    kind: Ints
    below: list[Below]

    @classmethod
    def of(cls, concepts: NumberedConcepts, unit_keys: Keys, broader: Broader, drop: bool) -> Choices:
        """The choices for the units of `concepts`, among those said of the same head; with `drop`, also none at all."""
        n_units = max(len(concepts.unit_names), 1)
        of_entry, ordered = ranked(pa.array(concepts.heads[concepts.rows] * n_units + concepts.units))
        pairs: Ints = ordered.to_numpy()
        broader = broader.within(pairs)
        kind, orders = _kinds(broader)
        below = [_choices_below(order, drop) for order in orders]
        return cls(of_entry, unit_keys[pairs % n_units], broader, kind, below)

    def keys_of(self, pairs: Ints, kind: int) -> Keys:
        """The keys of all choices for pairs of one kind, (choices, pairs): nothing stands for a dropped unit."""
        n_choices = len(self.below[kind])
        n_broader = int(self.broader.starts[pairs[0] + 1] - self.broader.starts[pairs[0]])
        keys = np.zeros((n_choices, len(pairs)), np.uint64)
        keys[0] = self.keys[pairs]
        for place in range(n_broader):
            keys[1 + place] = self.keys[self.broader.general[self.broader.starts[pairs] + place]]
        return keys


def _kinds(broader: Broader) -> tuple[Ints, list[Below]]:
    """The kind of each pair, and each kind's order: which of its broader pairs generalise which earlier ones."""
    sizes = np.diff(broader.starts)
    kinds: dict[Below, int] = {(): 0, ((),): 1}
    kind = np.minimum(sizes, 1)
    for pair in np.flatnonzero(sizes > 1).tolist():
        options = broader.of(pair)
        order = tuple(
            tuple(low for low in range(high) if options[high] in broader.of(options[low]))
            for high in range(len(options))
        )
        kind[pair] = kinds.setdefault(order, len(kinds))
    return kind, list(kinds)


def _choices_below(order: Below, drop: bool) -> Below:
    broader = tuple((0, *(1 + low for low in lower)) for lower in order)
    return (), *broader, *([tuple(range(1 + len(order)))] if drop else [])


def by_shape(concepts: NumberedConcepts, choices: Choices) -> Iterator[tuple[Ints, Ints, Sequence[int]]]:
    """(rows of one shape, the entries of their units (rows, units), the kinds of these), units put in the order of their kinds."""
    n_kinds, kinds = len(choices.below), choices.kind[choices.pairs]
    entries = np.argsort(concepts.rows * n_kinds + kinds, kind="stable")
    kinds = kinds[entries]
    starts, sizes = concepts.starts[:-1], np.diff(concepts.starts)
    shape = sizes
    for column in range(int(sizes.max(initial=0))):  # lists of kinds as numbers, column by column
        further = np.flatnonzero(sizes > column)
        if shape.max() >= 2**62 // n_kinds:
            shape = np.searchsorted(distinct(shape), shape)
        shape = shape * n_kinds
        shape[further] += kinds[starts[further] + column]
    order = np.argsort(shape, kind="stable")
    for some in np.split(order, np.flatnonzero(np.diff(shape[order])) + 1):
        if len(some):
            table = starts[some][:, None] + np.arange(sizes[some[0]])
            yield some, entries[table], kinds[table[0]].tolist()
