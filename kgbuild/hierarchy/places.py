"""Where a key lies among many: two reads of memory each, however many there are (a binary search of millions takes twenty)."""

from __future__ import annotations

import numpy as np

from kgbuild.hierarchy.numbered import Ints, starts_of
from kgbuild.hierarchy.units import Keys

_HALF = np.uint64(32)


class Places:
    """The places of random 64-bit keys, each within its group, in one bucket more than there are keys of the group.

    The buckets of a group lie together, so that asking group by group stays in the processor's cache.
    """

    def __init__(self, groups: Ints, keys: Keys, n_groups: int) -> None:
        sizes = np.bincount(groups, minlength=n_groups) + 1
        self._first, self._sizes = np.cumsum(sizes) - sizes, sizes.astype(np.uint64)
        bucket = self._bucket(groups, keys)
        self._order = np.argsort(bucket, kind="stable")
        self._keys = keys[self._order]
        self._starts = starts_of(bucket, int(sizes.sum()))

    def of(self, groups: Ints, keys: Keys) -> Ints:
        """The first place of each of `keys` in its group, -1 where it is not there; `groups` goes along the last axis of `keys`."""
        bucket = self._bucket(groups, keys).ravel()
        place, stop = self._starts[bucket], self._starts[bucket + 1]
        found, wanted = np.full(keys.shape, -1), keys.ravel()
        some = np.flatnonzero(place < stop)
        place, stop = place[some], stop[some]
        while len(some):
            hit = self._keys[place] == wanted[some]
            found.ravel()[some[hit]] = self._order[place[hit]]
            place += 1
            left = ~hit & (place < stop)
            some, place, stop = some[left], place[left], stop[left]
        return found

    def _bucket(self, groups: Ints, keys: Keys) -> Ints:
        return self._first[groups] + (((keys >> _HALF) * self._sizes[groups]) >> _HALF).astype(np.int64)
