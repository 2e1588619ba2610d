"""The nearest kept generalisations of a concept, found by walking up its lattice: no pair of concepts is ever compared blindly.

From a set of modifier units one step up drops a unit, or puts a broader unit in the place of one. Each path is followed until it
meets a kept concept; what is met first, less what lies above something else that was met, are the covers: the is-a edges of the
transitively reduced hierarchy. Concepts of different heads never meet here, so each head is a world of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from math import prod

from kgbuild.subsumption import generalises_unit, modifiers_subsume

DROP, GENERALISE = "drop_modifier", "generalise_modifier"

Modifiers = frozenset[str]


class Head:
    """The kept concepts of one head noun: modifier sets and their ids, with an index over their units."""

    def __init__(self, members: Mapping[Modifiers, str], rules: Collection[str]) -> None:
        self.members = members
        self._drop, self._generalise = DROP in rules, GENERALISE in rules
        self._by_last_word: dict[str, list[str]] = defaultdict(list)
        for unit in sorted(set().union(*members)):
            self._by_last_word[unit.split()[-1]].append(unit)
        self._broader: dict[str, tuple[str, ...]] = {}
        self._holders: dict[str, set[Modifiers]] = {}

    def covers(self, modifiers: Modifiers) -> list[Modifiers]:
        """The most specific kept concepts strictly above `modifiers`, which need not be kept itself; in no order."""
        if len(self.members) <= prod(2 + len(self._broader_units(unit)) for unit in modifiers):
            found = [other for other in self.members if self._above(other, modifiers)]
            return self._lowest(found)
        met = self._walk_up(modifiers)
        if any(self._broader_units(unit) for unit in modifiers):
            return self._lowest(met)
        return [one for one in met if not any(one < other for other in met)]  # the usual case: only drops

    def below(self, modifiers: Modifiers) -> set[Modifiers]:
        """The kept concepts strictly below `modifiers`."""
        holders = [{m for u in self._narrower_units(unit) for m in self._held_by(u)} for unit in modifiers]
        possible = set.intersection(*holders) if holders else self.members.keys()
        return {one for one in possible if self._above(modifiers, one)}

    def _walk_up(self, modifiers: Modifiers) -> list[Modifiers]:
        """The kept concepts met first on each path up."""
        found: list[Modifiers] = []
        seen, frontier = {modifiers}, [modifiers]
        while frontier:
            for above in self._steps_up(frontier.pop()):
                if above in seen:
                    continue
                seen.add(above)
                (found if above in self.members else frontier).append(above)
        return found

    def _steps_up(self, modifiers: Modifiers) -> Iterator[Modifiers]:
        for unit in modifiers:
            rest = modifiers - {unit}
            if self._drop:
                yield rest
            for broader in self._broader_units(unit):
                if broader not in rest:  # merging two units is a drop, and met as one
                    yield rest | {broader}

    def _lowest(self, found: list[Modifiers]) -> list[Modifiers]:
        """Those of `found` that are above no other; they may be met on a longer path too, or by a drop where a generalisation serves."""
        return [one for one in found if not any(self._above(one, other) for other in found)]

    def _above(self, general: Modifiers, specific: Modifiers) -> bool:
        """Whether `general` is strictly above `specific` by the rules in force."""
        if len(general) > len(specific) or not (self._drop or len(general) == len(specific)):
            return False
        if general <= specific:
            return general != specific
        rest = [self._broader_units(unit) for unit in specific - general]
        if any(all(unit not in broader for broader in rest) for unit in general - specific):
            return False  # the usual case, without matching
        return modifiers_subsume(general, specific)

    def _broader_units(self, unit: str) -> tuple[str, ...]:
        known = self._broader.get(unit)
        if known is None:
            same_end = self._by_last_word.get(unit.split()[-1], ()) if self._generalise and " " in unit else ()
            known = self._broader[unit] = tuple(other for other in same_end if generalises_unit(other, unit))
        return known

    def _narrower_units(self, unit: str) -> list[str]:
        same_end = self._by_last_word.get(unit.split()[-1], ()) if self._generalise else ()
        return [unit, *(other for other in same_end if generalises_unit(unit, other))]

    def _held_by(self, unit: str) -> set[Modifiers]:
        if not self._holders:
            for member in self.members:
                for held in member:
                    self._holders.setdefault(held, set()).add(member)
        return self._holders.get(unit, set())
