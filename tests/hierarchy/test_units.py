"""Units and keys as integers, against the plain definitions."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from kgbuild.hierarchy.places import Places
from kgbuild.hierarchy.units import Broader
from kgbuild.subsumption import broader_units, generalises_unit

laws = settings(deadline=None, max_examples=200)

units = st.lists(st.sampled_from(["a", "b", "c", "no", "of"]), min_size=1, max_size=5).map(" ".join)


@laws
@given(st.lists(units, max_size=30, unique=True))
def test_broader_units_are_those_that_generalise(some: list[str]) -> None:
    found = broader_units(some)
    for unit in some:
        expected = [other for other in some if generalises_unit(other, unit)]
        assert found.get(unit, []) == sorted(expected, key=lambda other: (-len(other.split()), other))


@laws
@given(st.sets(units, max_size=12), st.sets(st.tuples(st.integers(0, 2), st.integers(0, 11)), max_size=20))
def test_units_generalise_those_of_their_own_head(names: set[str], said: set[tuple[int, int]]) -> None:
    ordered = sorted(names)
    pairs = sorted((head, unit) for head, unit in said if unit < len(ordered))
    keys = np.array([head * len(ordered) + unit for head, unit in pairs], np.int64)
    broader = Broader.among(ordered).within(keys)
    for place, (head, unit) in enumerate(pairs):
        found = {pairs[other] for other in broader.of(place)}
        assert found == {(h, u) for h, u in pairs if h == head and generalises_unit(ordered[u], ordered[unit])}


@laws
@given(st.data())
def test_places_are_found_in_their_group(data: st.DataObject) -> None:
    key = st.one_of(st.integers(0, 2**64 - 1), st.integers(0, 3), st.integers(2**64 - 3, 2**64 - 1))
    entry = st.tuples(st.integers(0, 3), key)
    here, asked = data.draw(st.lists(entry, unique=True, max_size=30)), data.draw(st.lists(entry, max_size=20))
    asked += here
    places = Places(*_columns(here), n_groups=4)
    expected = [here.index(one) if one in here else -1 for one in asked]
    assert places.of(*_columns(asked)).tolist() == expected


def _columns(entries: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([group for group, _ in entries], np.int64), np.array([key for _, key in entries], np.uint64)
