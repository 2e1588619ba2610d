"""Gold concepts laid onto the atoms of their text: what the concept model learns from.

A gold concept says words, not places. Each head and each modifier unit is given the place that fits best: inside the
concept's surface, its words in order and close together, close to the head.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher

from kgbuild.language.atoms import Atoms
from kgbuild.language.canonical import strip_suffix


@dataclass
class Graph:
    """Which atoms head a listed concept, and which atom modifies which (`links`: modifier's last atom -> heads)."""

    listed: set[int] = field(default_factory=set)
    links: set[tuple[int, int]] = field(default_factory=set)
    misses: list[str] = field(default_factory=list)


def matches(atoms: Atoms, place: int, word: str) -> bool:
    """Whether the atom can stand for that canonical word."""
    here, lemma = atoms.word[place], atoms.lemma[place]
    if word in (here, lemma, strip_suffix(here)):
        return True
    if len(word) < 4 or here[:1] != word[:1]:
        return False
    return SequenceMatcher(None, lemma, word).ratio() > 0.8


def align(concepts: Sequence[Mapping[str, object]], atoms: Atoms) -> Graph:
    """The graph of those concepts whose surface stands in this text; what found no place is told in `misses`."""
    graph, cursor = Graph(), 0
    for concept in concepts:
        surface, head = str(concept["surface"]), str(concept["head"])
        units = [str(m) for m in concept["modifiers"]]  # type: ignore[attr-defined]
        place = atoms.text.find(surface, cursor)
        start = place if place >= 0 else atoms.text.find(surface)
        if start < 0:
            continue
        cursor = max(cursor, start)
        inside = [i for i in range(len(atoms)) if atoms.start[i] < start + len(surface) and atoms.end[i] > start]
        _lay(head, units, inside, atoms, graph)
    return graph


def _lay(head: str, units: list[str], inside: list[int], atoms: Atoms, graph: Graph) -> None:
    spots = _spots(head, inside, atoms) or _spots(head, range(len(atoms)), atoms)
    if not spots:
        graph.misses.append(f"head {head}")
        return
    best: tuple[float, int, list[list[int]]] | None = None
    for spot in spots:
        cost, placed = 0.0, []
        taken = set(spot)
        for unit in units:
            options = _spots(unit, [i for i in inside if i not in spot], atoms)
            wide = range(max(0, spot[-1] - 25), min(len(atoms), spot[-1] + 25))
            options = options or _spots(unit, [i for i in wide if i not in spot], atoms)
            if not options:
                cost += 50
                continue
            ranked = [
                (
                    o[-1]
                    - o[0]
                    - len(o)
                    + abs(spot[-1] - o[-1]) * (1 if o[-1] < spot[-1] else 1.2)
                    + 5 * (o[-1] in taken),
                    o,
                )
                for o in options
            ]
            value, chosen = min(ranked)
            cost += value
            placed.append(chosen)
        cost += 0.01 * spot[-1]
        if best is None or cost < best[0]:
            best = (cost, spot[-1], placed)
    assert best is not None
    _, place, placed = best
    graph.listed.add(place)
    if len(placed) < len(units):
        graph.misses.append(f"modifiers of {head}: {units}")
    for chosen in placed:
        graph.links.add((chosen[-1], place))
        _inner(graph, chosen)


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
            if matches(atoms, place, " ".join(left[-taken:])) or matches(atoms, place, "-".join(left[-taken:])):
                chosen.append(place)
                del left[-taken:]
                break
        else:
            if back == 0 or (chosen and chosen[-1] - place > 6):
                return None
    return chosen[::-1] if not left else None
