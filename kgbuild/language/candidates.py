"""Candidate concepts: what a maximal concept falls under when its modifiers are dropped or generalised.

Only units with enough support of their own can be part of a concept with enough support, so each maximal concept is first cut
down to these (a form). Forms are few and small, and everything after is done once for each form.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations, product

from kgbuild.subsumption import BINDING, generalises_unit

Units = tuple[int, ...]
"""Numbers of (head, unit) pairs of one head, ascending."""
Slot = tuple[int, ...]
"""What may stand for one modifier unit of a mention: the unit itself and what it generalises to."""
Candidate = tuple[str, Units]
Form = tuple[str, tuple[Slot, ...]]


def generalisation_slots(units: Sequence[tuple[str, str]], usable: Sequence[bool]) -> list[Slot]:
    """For each (head, unit): itself if usable, and the usable units of the same head that generalise it."""
    same_end: dict[tuple[str, str], list[int]] = defaultdict(list)
    for number, (head, unit) in enumerate(units):
        if usable[number]:
            same_end[head, unit.split()[-1]].append(number)
    slots = []
    for number, (head, unit) in enumerate(units):
        broader = same_end[head, unit.split()[-1]] if " " in unit else ()
        itself = (number,) if usable[number] else ()
        slots.append(itself + tuple(other for other in broader if generalises_unit(units[other][1], unit)))
    return slots


def form_of(head: str, units: Sequence[int], slots: Sequence[Slot]) -> Form:
    """A maximal concept cut down to the slots that hold anything."""
    return head, tuple(sorted(slots[unit] for unit in units if slots[unit]))


def fallen_under(slots: Sequence[Slot], max_modifiers: int) -> set[Units]:
    """All sets of at most `max_modifiers` units that take at most one unit from each slot."""
    units = [slot[0] for slot in slots if len(slot) == 1]
    if len(units) == len(slots) == len(set(units)):  # the usual case, ten times faster
        units.sort()
        return {some for size in range(min(max_modifiers, len(units)) + 1) for some in combinations(units, size)}
    return {
        tuple(sorted(set(chosen)))
        for size in range(min(max_modifiers, len(slots)) + 1)
        for some in combinations(slots, size)
        for chosen in product(*some)
    }


def says_no_word_twice(phrase: Sequence[str]) -> bool:
    """Whether units (or a head and units) share no word, nor repeat one: {"blue", "navy blue"} does. Binding words may repeat."""
    if len(phrase) == 1 and " " not in phrase[0]:
        return True
    words = [word for unit in phrase for word in unit.split() if word not in BINDING]
    return len(words) == len(set(words))


def one_step_up(units: Units, slots: Sequence[Slot]) -> Iterator[Units]:
    """Drop one unit, or put a broader one in its place."""
    for unit in units:
        rest = tuple(other for other in units if other != unit)
        yield rest
        yield from (tuple(sorted((*rest, broader))) for broader in slots[unit] if broader not in units)
