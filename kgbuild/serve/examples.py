"""Example texts for concepts: a few short passages in which a concept is mentioned, and how else it is written.

Mentions and texts are gone through once each, piece by piece; only the chosen passages are held.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import combinations

import pyarrow as pa

PASSAGE_CHARACTERS = 170
_SPARE = 3  # candidates held for each example that is shown, so that one product need not appear twice
_MOST_MODIFIERS = (
    8  # of a mention; beyond it the subsets are too many to look up, and the concept is found by a smaller mention
)


@dataclass(frozen=True)
class Example:
    """A passage; characters start to end are the mention. `cut_before`, `cut_after`: the text goes on there."""

    product_id: str
    field: str
    passage: str
    start: int
    end: int
    cut_before: bool
    cut_after: bool


@dataclass
class Examples:
    """By concept id: passages, and the commonest written forms with their number of mentions."""

    passages: dict[str, list[Example]] = field(default_factory=dict)
    forms: dict[str, list[tuple[str, int]]] = field(default_factory=dict)


def find_examples(
    concepts: pa.Table,
    mentions: Iterable[pa.Table],
    texts: Iterable[pa.Table],
    *,
    per_concept: int = 3,
    forms_per_concept: int = 6,
) -> Examples:
    """Up to `per_concept` passages for each concept, of different products where there are enough.

    A mention serves its own concept and those that have its head and some of its modifiers. The texts that come first in
    the order of ids are taken: ids are hashes, so this is a random sample, and the same on every run.
    """
    above = _Generalisations(concepts)
    wanted: dict[str, list[tuple[str, int, int]]] = {}
    forms: dict[str, Counter[str]] = {}
    for piece in mentions:
        columns = (piece[name].to_pylist() for name in _MENTION_COLUMNS)
        for text_id, start, end, surface, concept_id, head, modifiers in zip(*columns, strict=True):
            for general in above.of(concept_id, head, modifiers):
                held = wanted.setdefault(general, [])
                if len(held) < per_concept * _SPARE and (not held or held[-1][0] != text_id):
                    held.append((text_id, start, end))
            if concept_id in above.known:
                forms.setdefault(concept_id, Counter())[surface.lower()] += 1
    found = Examples(_cut(wanted, texts, per_concept))
    found.forms = {concept: _commonest(counts, forms_per_concept) for concept, counts in sorted(forms.items())}
    return found


_MENTION_COLUMNS = ("text_id", "start", "end", "surface_form", "concept_id", "head_noun", "modifiers")


class _Generalisations:
    """Concept of a mention -> the kept concepts with the same head and a subset of its modifiers, each worked out once."""

    def __init__(self, concepts: pa.Table) -> None:
        columns = (concepts[name].to_pylist() for name in ("concept_id", "head_noun", "modifiers"))
        self.by_key = {(head, frozenset(mods)): concept_id for concept_id, head, mods in zip(*columns, strict=True)}
        self.known = set(self.by_key.values())
        self.cache: dict[str, tuple[str, ...]] = {}

    def of(self, concept_id: str, head: str, modifiers: list[str]) -> tuple[str, ...]:
        if concept_id not in self.cache:
            self.cache[concept_id] = tuple(self._look_up(head, sorted(set(modifiers))[:_MOST_MODIFIERS]))
        return self.cache[concept_id]

    def _look_up(self, head: str, modifiers: list[str]) -> Iterable[str]:
        for size in range(len(modifiers), -1, -1):
            for subset in combinations(modifiers, size):
                general = self.by_key.get((head, frozenset(subset)))
                if general is not None:
                    yield general


def _cut(
    wanted: Mapping[str, list[tuple[str, int, int]]], texts: Iterable[pa.Table], per_concept: int
) -> dict[str, list[Example]]:
    places: dict[str, set[tuple[int, int]]] = {}
    for candidates in wanted.values():
        for text_id, start, end in candidates:
            places.setdefault(text_id, set()).add((start, end))
    passages: dict[tuple[str, int, int], Example] = {}
    for piece in texts:
        columns = (piece[name].to_pylist() for name in ("text_id", "product_id", "field", "text"))
        for text_id, product_id, name, text in zip(*columns, strict=True):
            for start, end in places.get(text_id, ()):
                passages[text_id, start, end] = cut_passage(product_id, name, text, start, end)
    return {
        concept: _varied([passages[one] for one in candidates if one in passages], per_concept)
        for concept, candidates in sorted(wanted.items())
    }


def cut_passage(product_id: str, name: str, text: str, start: int, end: int) -> Example:
    """The words around a mention, at most about PASSAGE_CHARACTERS of them, cut between words and without line breaks."""
    room = max(0, PASSAGE_CHARACTERS - (end - start)) // 2
    left, right = max(0, start - room), min(len(text), end + room)
    while 0 < left < start and not text[left - 1].isspace():
        left += 1
    while end < right < len(text) and not text[right].isspace():
        right -= 1
    before, mention, after = (_one_line(part) for part in (text[left:start], text[start:end], text[end:right]))
    before, after = before.lstrip(), after.rstrip()
    passage = before + mention + after
    return Example(product_id, name, passage, len(before), len(before) + len(mention), left > 0, right < len(text))


def _one_line(text: str) -> str:
    """White space, line breaks included, as one blank; blanks at the ends are kept, since words go on there."""
    if not text.strip():
        return " " if text else ""
    return " " * text[0].isspace() + " ".join(text.split()) + " " * text[-1].isspace()


def _varied(candidates: list[Example], count: int) -> list[Example]:
    """Passages that differ: of different products with one bare title among them, then other products, then what is left."""
    chosen: list[Example] = []
    for products_differ, titles_differ in ((True, True), (True, False), (False, False)):
        for one in candidates:
            clash = any(
                one.passage == other.passage
                or (products_differ and one.product_id == other.product_id)
                or (titles_differ and one.field == other.field == "title")
                for other in chosen
            )
            if len(chosen) < count and not clash:
                chosen.append(one)
    return chosen


def _commonest(counts: Counter[str], count: int) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:count]
