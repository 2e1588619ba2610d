"""Gold concepts laid onto the atoms of their text: what the concept model learns from.

An annotated concept says words, not places. Each head and each modifier unit is given the place that fits best: inside the
concept's surface where one is given, concepts in the order of the text, a unit's words in order and close together, close to the
head.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher

from kgbuild.language.atoms import Atoms
from kgbuild.language.canonical import strip_suffix
from kgbuild.language.decode import Graph
from kgbuild.language.learning.annotations import Annotated

_REACH = 60


def matches(atoms: Atoms, place: int, word: str) -> bool:
    """Whether the atom can stand for that canonical word."""
    here, lemma = atoms.word[place], atoms.lemma[place]
    if word in (here, lemma, strip_suffix(here)):
        return True
    if len(word) < 4 or here[:1] != word[:1]:
        return False
    return SequenceMatcher(None, lemma, word).ratio() > 0.8


def _in_one(atoms: Atoms, place: int, words: Sequence[str]) -> bool:
    """Whether the atom has these words in one: no "elasticated" for "elasticated cuff", however alike."""
    here = (atoms.word[place], atoms.lemma[place])
    return any(sign.join(words) in here for sign in (" ", "-", ""))


def align(text: Annotated, atoms: Atoms) -> tuple[Graph, list[str]]:
    """The graph of a text's concepts, and what found no place."""
    graph, misses, cursor, last = Graph(), list[str](), 0, -1
    for number, (head, units) in enumerate(text.concepts):
        inside: Sequence[int] = range(len(atoms))
        if text.surfaces is not None:
            surface = text.surfaces[number]
            place = text.text.find(surface, cursor)
            start = place if place >= 0 else text.text.find(surface)
            if start < 0:
                continue
            cursor = max(cursor, start)
            inside = [i for i in inside if atoms.start[i] < start + len(surface) and atoms.end[i] > start]
        last = max(last, _lay(head, units, inside, atoms, graph, last, misses))
    return graph, misses


def _lay(
    head: str, units: list[str], inside: Sequence[int], atoms: Atoms, graph: Graph, last: int, misses: list[str]
) -> int:
    """Put one concept on the atoms, its head after `last` (the previous concept's) if need be; the head's place, or -1."""
    spots = _spots(head, inside, atoms) or _spots(head, range(len(atoms)), atoms)
    if not spots:
        misses.append(f"head {head}")
        return -1
    _, place, units_at = min(
        (_cost_of(spot, units, inside, atoms, graph, last) for spot in spots), key=lambda found: found[:2]
    )
    graph.listed.add(place)
    if len(units_at) < len(units):
        misses.append(f"modifiers of {head}: {units}")
    for chosen in units_at:
        graph.links.add((chosen[-1], place))
        _inner(graph, chosen)
    return place


def _cost_of(
    spot: list[int], units: list[str], inside: Sequence[int], atoms: Atoms, graph: Graph, last: int
) -> tuple[float, int, list[list[int]]]:
    """How ill the concept fits with its head there: (cost, the head's last place, the places of its units)."""
    place, placed = spot[-1], []
    cost = 0.08 * (place - last) if place > last else 4 + 0.1 * (last - place)
    cost += 12 * (place in graph.listed)
    near = range(max(0, place - _REACH), min(len(atoms), place + _REACH + 1))
    for unit in units:
        options = _spots(unit, [i for i in inside if i in near and i not in spot], atoms)
        options = options or _spots(unit, [i for i in near if i not in spot], atoms)
        if not options:
            cost += 50
            continue
        value, chosen = min((_distance(o, place, atoms), o) for o in options)
        cost += value
        placed.append(chosen)
    return cost, place, placed


def _distance(option: list[int], place: int, atoms: Atoms) -> float:
    """Words between a unit and its head, a little more where it comes after; gaps inside the unit; sentence ends between weigh much."""
    end = option[-1]
    gap = place - end if end < place else 1.2 * (end - place)
    stops = any(atoms.word[i] in (".", "!", "?") for i in range(min(end, place), max(end, place)))
    return end - option[0] - len(option) + gap + 15 * stops


def _inner(graph: Graph, chosen: list[int]) -> None:
    for i in chosen[:-1]:
        graph.links.add((i, chosen[-1]))


def _spots(unit: str, places: Iterable[int], atoms: Atoms) -> list[list[int]]:
    """All ways to put the unit's words on atoms in order, each earlier word as near as may be to the next."""
    places = list(places)
    words = unit.split()
    found = []
    for end, place in enumerate(places):
        chosen = _fit(words, places[: end + 1], atoms)
        if chosen and chosen[-1] == place:
            found.append(chosen)
    return found


def _fit(words: list[str], places: list[int], atoms: Atoms) -> list[int] | None:
    chosen: list[int] = []
    left = list(words)
    for back, place in enumerate(reversed(places)):
        if not left:
            break
        for taken in range(min(len(left), 3), 0, -1):
            if matches(atoms, place, left[-1]) if taken == 1 else _in_one(atoms, place, left[-taken:]):
                chosen.append(place)
                del left[-taken:]
                break
        else:
            if back == 0 or (chosen and chosen[-1] - place > 6):
                return None
    return chosen[::-1] if not left else None
