"""What a network finds in annotated texts that it did not learn from, and the thresholds that suit it best."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from kgbuild.language.atoms import Atoms
from kgbuild.language.decode import Found, Graph, concepts_of, without_repeats
from kgbuild.language.inputs import Vocabulary, sentence_rows
from kgbuild.language.learning.annotations import Annotated
from kgbuild.language.learning.fit import agreed
from kgbuild.language.learning.networks import ConceptNet
from kgbuild.language.learning.samples import text_atoms
from kgbuild.language.model import sound
from kgbuild.language.score import score_gold

_GRID = (0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65)


@dataclass(frozen=True)
class HeldOut:
    """A text with the probability of every word to head a concept and of every link."""

    text: Annotated
    atoms: Atoms
    listed: Mapping[int, float]
    links: Mapping[tuple[int, int], float]

    def concepts(self, listed: float, link: float) -> list[Found]:
        """The concepts at these thresholds."""
        heads = {place for place, p in self.listed.items() if p > listed}
        links = {both for both, p in self.links.items() if p > link}
        return concepts_of(self.atoms, Graph(*sound(self.atoms.word, heads, links)), is_title=self.text.is_title)


def held_out(texts: Sequence[Annotated], net: ConceptNet, vocabulary: Vocabulary) -> list[HeldOut]:
    """What `net` says of texts."""
    read = [(text, *text_atoms(text.text, vocabulary.lexicon)) for text in texts]
    rows = [
        sentence_rows(atoms, start, end, vocabulary, is_title=text.is_title)
        for text, atoms, pieces in read
        for start, end in pieces
    ]
    found = iter(agreed([net], rows))
    outs = []
    for text, atoms, pieces in read:
        listed: dict[int, float] = {}
        links: dict[tuple[int, int], float] = {}
        for start, _ in pieces:
            one = next(found)
            listed |= {start + place: float(p) for place, p in enumerate(one.listed)}
            links |= {(start + part, start + whole): p for part, whole, p in one.links}
        outs.append(HeldOut(text, atoms, listed, links))
    return outs


def records_at(
    outs: Iterable[HeldOut], records: Sequence[Mapping[str, Any]], listed: float, link: float
) -> list[dict[str, Any]]:
    """The concepts of the gold records that the texts come from, at these thresholds: what `kgbuild.language.score` reads."""
    found: dict[str, list[Found]] = {}
    for one in outs:
        found.setdefault(one.text.product, []).extend(one.concepts(listed, link))
    return [
        {
            "id": record["id"],
            "concepts": [
                {"head": c.head, "modifiers": list(c.modifiers)} for c in without_repeats(found.get(record["id"], []))
            ],
        }
        for record in records
    ]


def best_thresholds(outs: Sequence[HeldOut], records: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """(listed, link) with the best F1 of whole concepts; ties go to the first."""
    return max(
        product(_GRID, _GRID), key=lambda both: score_gold(records_at(outs, records, *both), records)["concept"].f1
    )
