"""From a graph over atoms to concepts: units, surfaces, and the rules for what is said twice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from kgbuild.domains import OTHER
from kgbuild.language.atoms import Atoms
from kgbuild.language.canonical import GENDERS, head_lemma, strip_suffix


@dataclass
class Graph:
    """Which atoms head a listed concept, and which atom modifies which (`links`: modifier's last atom -> heads).

    `domains` tells what kind of thing a head names, where that is known.
    """

    listed: set[int] = field(default_factory=set)
    links: set[tuple[int, int]] = field(default_factory=set)
    domains: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Found:
    """One maximal concept at its place; `start` and `end` count characters of the text, `domain` is what its head names there."""

    head: str
    modifiers: tuple[str, ...]
    start: int
    end: int
    domain: str = OTHER


def concepts_of(atoms: Atoms, graph: Graph, *, is_title: bool) -> list[Found]:
    """The concepts of a graph in text order; modifiers in text order, each once; a gender only in a title."""
    below: dict[int, list[int]] = {}
    for part, whole in sorted(graph.links):
        below.setdefault(whole, []).append(part)
    found = []
    for place in sorted(graph.listed):
        parts = below.get(place, [])
        units = [_unit(part, atoms, below) for part in parts]
        units = [u for u in units if is_title or u not in GENDERS]
        covered = [place, *(i for part in parts for i in _covered(part, below))]
        start, end = min(atoms.start[i] for i in covered), max(atoms.end[i] for i in covered)
        modifiers = tuple(dict.fromkeys(u for u in units if u))
        found.append(Found(head_lemma(atoms.word[place]), modifiers, start, end, graph.domains.get(place, OTHER)))
    return found


def _before(place: int, below: dict[int, list[int]]) -> list[int]:
    return [part for part in below.get(place, []) if part < place]


def _words(place: int, atoms: Atoms, below: dict[int, list[int]]) -> list[str]:
    inner = [atoms.word[i] for part in _before(place, below) for i in _flat(part, below)]
    return [*inner, atoms.lemma[place]]


def _flat(place: int, below: dict[int, list[int]]) -> list[int]:
    return [*(i for part in _before(place, below) for i in _flat(part, below)), place]


def _covered(place: int, below: dict[int, list[int]]) -> list[int]:
    return _flat(place, below)


def _unit(place: int, atoms: Atoms, below: dict[int, list[int]]) -> str:
    return strip_suffix(" ".join(dict.fromkeys(_words(place, atoms, below))))


def without_repeats(found: Iterable[Found]) -> list[Found]:
    """Guidelines, silent rule 1: no later mention that says nothing more, no bare head beside a fuller concept."""
    ordered = list(found)
    fuller = {concept.head for concept in ordered if concept.modifiers}
    kept: list[Found] = []
    seen: dict[str, list[frozenset[str]]] = {}
    for concept in ordered:
        units = frozenset(concept.modifiers)
        if not units and concept.head in fuller:
            continue
        if any(units <= earlier for earlier in seen.get(concept.head, [])):
            continue
        seen.setdefault(concept.head, []).append(units)
        kept.append(concept)
    return kept


def as_json(found: Sequence[Found], text: str) -> list[dict[str, object]]:
    """The gold format: surface, head, modifiers."""
    return [{"surface": text[c.start : c.end], "head": c.head, "modifiers": list(c.modifiers)} for c in found]
