"""When one concept is broader than another: the one definition that mining and the hierarchy share.

A concept is a head noun and a set of modifier units; a unit is one or more words ("navy blue", "three quarter sleeve").
G subsumes S when both have the same head and each unit of G is matched with a unit of S of its own (no unit of S is used
twice), being equal to it or a generalisation of it. This is a partial order: a unit's generalisations have fewer words, and
"used once" keeps {"blue", "navy blue"} apart from {"navy blue"}.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Final

PRIVATIVE: Final = frozenset(
    {"anti", "artificial", "fake", "faux", "false", "imitation", "mock", "no", "non", "not", "pseudo", "simulated"}
    | {"synthetic", "un", "without"}
)
"""Words that take back what they stand before: "faux leather" is no leather, so they are never dropped from a unit."""

BINDING: Final = frozenset({"and", "or", "of", "in", "on", "to", "with", "&"})
"""Words that tie their neighbours together: a "hook and eye" is no eye, so these are never dropped from a unit either."""


def generalises_unit(general: str, specific: str) -> bool:
    """Whether unit `general` is `specific` with some words left out: "blue" of "navy blue", "white sole" of "white rubber sole".

    The last word names the thing and stays; the others keep their order; privative and
    binding words stay. A unit does not generalise itself.
    """
    short, long = general.split(), specific.split()
    if len(short) >= len(long) or short[-1] != long[-1]:
        return False
    rest = iter(long)
    if not all(word in rest for word in short):
        return False
    dropped = Counter(long) - Counter(short)
    return PRIVATIVE.isdisjoint(dropped) and BINDING.isdisjoint(dropped)


def broader_units(units: Collection[str]) -> dict[str, list[str]]:
    """For each of `units` that has any: those of them that generalise it, those of most words first, ties by the alphabet.

    Words are put before the last one by one, where that gives the end of any unit: linear in the units, not in their pairs.
    """
    known = set(units)
    ends = {" ".join(words[place:]) for words in map(str.split, known) for place in range(len(words))}
    found: dict[str, list[str]] = {}
    for unit in units:
        *before, last = unit.split() or [""]
        said = {last}
        for word in reversed(before):
            longer = {f"{word} {end}" for end in said} & ends
            said = longer if word in PRIVATIVE or word in BINDING else said | longer
        if broader := (said & known) - {unit}:
            found[unit] = sorted(broader, key=lambda one: (-one.count(" "), one))
    return found


def unit_matches(general: str, specific: str) -> bool:
    """Whether what is `specific` is also `general`, or the same."""
    return general == specific or generalises_unit(general, specific)


def modifiers_subsume(general: Collection[str], specific: Collection[str]) -> bool:
    """Whether every unit of `general` finds a unit of its own in `specific`; heads are the caller's business."""
    if len(general) > len(specific):
        return False
    # Equal units can be set aside: if a matching exists, one exists in which they are matched to each other.
    left = sorted(set(general).difference(specific))
    right = sorted(set(specific).difference(general))
    taken: dict[str, str] = {}
    return all(_place(unit, right, taken, set()) for unit in left)


def subsumes(general: tuple[str, Collection[str]], specific: tuple[str, Collection[str]]) -> bool:
    """Whether concept `general` is broader than `specific`, or the same; a concept is (head_noun, modifiers)."""
    return general[0] == specific[0] and modifiers_subsume(general[1], specific[1])


def _place(unit: str, right: list[str], taken: dict[str, str], tried: set[str]) -> bool:
    """One augmenting step of bipartite matching (Kuhn): find `unit` a partner, moving earlier ones where needed."""
    for candidate in right:
        if candidate in tried or not generalises_unit(unit, candidate):
            continue
        tried.add(candidate)
        if candidate not in taken or _place(taken[candidate], right, taken, tried):
            taken[candidate] = unit
            return True
    return False
