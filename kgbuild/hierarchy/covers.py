"""The nearest kept generalisations of concepts, found among all that they fall under: no pair of concepts is ever compared blindly.

A concept's generalisations are got by choosing for each of its units: it stays, a broader unit takes its place, or it is dropped.
These choices make a lattice. Concepts of one shape (as many units, as many broader ones for each, alike in order) have the same
lattice, so it is walked once for all of them, a column of concepts at each point. A point is looked up by its key; it is a cover if
it is kept and no kept point lies between. Concepts of different heads never meet.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from kgbuild.errors import TableError
from kgbuild.hierarchy.choices import Below, Choices, by_shape
from kgbuild.hierarchy.numbered import Bools, Ints, distinct, expand, found_in
from kgbuild.hierarchy.places import Places
from kgbuild.hierarchy.units import Broader, NumberedConcepts
from kgbuild.subsumption import modifiers_subsume

DROP, GENERALISE = "drop_modifier", "generalise_modifier"

MOST_POINTS = 4096
"""Concepts with larger lattices (of more than a dozen units) are compared with those of their head instead."""
_POINTS_AT_ONCE = 2**16  # what is worked on stays in the processor's cache


@dataclass(frozen=True)
class Covers:
    """Edges from concepts `low` up to concepts `high`; `dropped`: the hypernym has no unit that the hyponym has not."""

    low: Ints
    high: Ints
    dropped: Bools

    def only(self, edges: Bools) -> Covers:
        """Some of the edges."""
        return Covers(self.low[edges], self.high[edges], self.dropped[edges])

    @classmethod
    def joined(cls, parts: Sequence[Covers]) -> Covers:
        """All edges of all parts."""
        low = np.concatenate([np.zeros(0, np.int64), *(part.low for part in parts)])
        high = np.concatenate([np.zeros(0, np.int64), *(part.high for part in parts)])
        return cls(low, high, np.concatenate([np.zeros(0, bool), *(part.dropped for part in parts)]))


def find_covers(concepts: NumberedConcepts, broader: Broader, rules: Collection[str]) -> Covers:
    """For each concept the most specific of the others strictly above it, in no order.

    Raises:
        TableError: two rows are the same concept.
    """
    by_head = np.argsort(concepts.heads, kind="stable")  # what is worked on together lies together in memory
    concepts = concepts.only(by_head)
    unit_keys, keys = concepts.keys()
    places = Places(concepts.heads, keys, len(concepts.head_names))
    _refuse_twice(concepts, places.of(concepts.heads, keys))
    choices = Choices.of(concepts, unit_keys, broader, DROP in rules)
    found: list[Covers] = []
    for rows, entries, kinds in by_shape(concepts, choices):
        below = [choices.below[kind] for kind in kinds]
        points = prod(max(len(one), 2) for one in below)  # axes of one choice have their price too
        if points > MOST_POINTS:
            found += [_covers_of_large(concepts, row, broader, DROP in rules) for row in rows.tolist()]
            continue
        drops = _drops_only(below, DROP in rules)
        step = max(_POINTS_AT_ONCE // points, 1)
        for part in (slice(start, start + step) for start in range(0, len(rows), step)):
            lattice = np.zeros(len(rows[part]), np.uint64)
            for kind, column in zip(kinds, entries[part].T, strict=True):
                lattice = lattice[..., None, :] + choices.keys_of(choices.pairs[column], kind)
            above = places.of(concepts.heads[rows[part]], lattice)
            found.append(_lowest(rows[part], above, below, drops, len(keys)))
    covers = Covers.joined(found)
    return Covers(by_head[covers.low], by_head[covers.high], covers.dropped)


def _refuse_twice(concepts: NumberedConcepts, places: Ints) -> None:
    again = np.flatnonzero(places != np.arange(len(places)))
    if len(again):
        row = int(again[0])
        one, other = concepts.ids[int(places[row])], concepts.ids[row]
        head, units = concepts.head_names[concepts.heads[row]], sorted(concepts.names_of(row))
        raise TableError(f"concepts {one} and {other} are the same: {head} with {units}")


def _lowest(rows: Ints, above: Ints, below: Sequence[Below], drops: Bools, n: int) -> Covers:
    """The covers of `rows`, whose generalisations are `above` (a point for each choice, then rows; -1 where none is kept).

    `drops` are the points that need no broader unit.
    """
    above[(0,) * len(below)] = -1  # the concepts themselves
    kept = above >= 0
    reached = kept.copy()
    for axis, orders in enumerate(below):
        _raise(reached, reached, axis, orders)
    passed = np.zeros_like(reached)
    for axis, orders in enumerate(below):
        _raise(reached, passed, axis, orders)
    covers = kept & ~passed
    low = np.broadcast_to(rows, above.shape)
    if drops.all():
        return Covers(low[covers], above[covers], np.ones(np.count_nonzero(covers), bool))
    # Two points may be one concept: {blue} is two points above {navy blue, light blue}, and {light blue} is below one of them.
    keys = low * n + above
    unique = distinct(keys[covers])
    unique = unique[~found_in(unique, distinct(keys[kept & passed]))]
    return Covers(*np.divmod(unique, n), found_in(unique, distinct(keys[covers & drops])))


def _drops_only(below: Sequence[Below], drop: bool) -> Bools:
    """The points where every unit stands or is dropped, for concepts on the last axis."""
    points = np.ones((), bool)
    for orders in below:
        choices = np.zeros(len(orders), bool)
        choices[0], choices[-1] = True, drop or len(orders) == 1
        points = points[..., None] & choices
    return points[..., None]


def _raise(reached: Bools, into: Bools, axis: int, below: Below) -> None:
    """Mark in `into` the points that are above reached ones along one axis."""
    flat = prod(reached.shape[:axis]), len(below), -1
    lower, upper = reached.reshape(flat), into.reshape(flat)  # views: both are contiguous
    for choice in reversed(range(len(below))):  # highest first: what is read is not yet written
        for other in below[choice]:
            upper[:, choice] |= lower[:, other]


def _covers_of_large(concepts: NumberedConcepts, row: int, broader: Broader, drop: bool) -> Covers:
    """The covers of one concept of many units: those of its head made of units that it has or that generalise one, compared."""
    mine = concepts.units_of(row)
    usable = np.concatenate([mine, broader.general[expand(broader.starts, mine)[1]]])
    others = np.flatnonzero(concepts.heads == concepts.heads[row])
    place, at = expand(concepts.starts, others)
    sizes = np.diff(concepts.starts)[others]
    inside = np.bincount(place[np.isin(concepts.units[at], usable)], minlength=len(others)) == sizes
    possible = inside & (sizes <= len(mine) if drop else sizes == len(mine)) & (others != row)
    sets = {one: concepts.names_of(one) for one in others[possible].tolist()}
    above = [one for one in sets if _subsumes(sets[one], concepts.names_of(row), broader)]
    covers = [
        one for one in above if not any(one != other and _subsumes(sets[one], sets[other], broader) for other in above)
    ]
    dropped = [sets[one] <= concepts.names_of(row) for one in covers]
    return Covers(np.full(len(covers), row), np.array(covers, np.int64), np.array(dropped, bool))


def _subsumes(general: frozenset[str], specific: frozenset[str], broader: Broader) -> bool:
    return modifiers_subsume(general, specific) if len(broader.general) else general <= specific
