"""How well a parse attaches what annotated catalogue texts say: the measure of tagger and parser in the domain.

`bench/parser.py` prints it beside the scores on the treebank.

The gold lists concepts, not trees. What can be asked of a tree without a convention of its own is whether a modifier stands *below* its
head. A gold pair is attached if from the last word of the modifier the arcs lead up to a word of the head (for the second of two joined
heads, "collar and cuffs in black", also to the first) and every arc on the way is one of a noun phrase: `BELOW`, subtypes included. An arc
of a subject, an object or a clause on the way breaks it. The share of the gold's pairs attached is given for modifiers before and after
their head. A tree that hung everything on one noun would do well in it, so beside it stands `nearest`: of the modifiers that reach the
head of any concept, the share whose first such head is one of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from spacy.language import Language
from spacy.tokens import Doc

from kgbuild.language.atoms import Atoms
from kgbuild.language.decode import Graph
from kgbuild.language.learning.align import align
from kgbuild.language.learning.annotations import Annotated
from kgbuild.language.learning.samples import text_atoms
from kgbuild.language.lexicon import Lexicon

BELOW = frozenset({"acl", "amod", "appos", "compound", "conj", "flat", "nmod", "nummod", "obl"})
"""The arcs inside a noun phrase, a participle's included ("shirt made of cotton": nmod or acl and obl)."""


@dataclass(frozen=True)
class Attachment:
    """Counts: pairs before and after their head, those attached, modifiers that reach a head, those whose nearest is their own."""

    before: int = 0
    before_attached: int = 0
    after: int = 0
    after_attached: int = 0
    reaching: int = 0
    nearest_own: int = 0

    def __add__(self, other: Attachment) -> Attachment:
        return Attachment(
            self.before + other.before,
            self.before_attached + other.before_attached,
            self.after + other.after,
            self.after_attached + other.after_attached,
            self.reaching + other.reaching,
            self.nearest_own + other.nearest_own,
        )

    def shares(self) -> dict[str, float]:
        """The shares by name; 0 where there is nothing to share."""
        return {
            "pairs": _share(self.before_attached + self.after_attached, self.before + self.after),
            "pairs_before": _share(self.before_attached, self.before),
            "pairs_after": _share(self.after_attached, self.after),
            "nearest": _share(self.nearest_own, self.reaching),
        }


def attachment(nlp: Language, texts: Iterable[Annotated], lexicon: Lexicon) -> Attachment:
    """The counts over texts that the pipeline tags and parses; its other components are not run."""
    asked = list(texts)
    total = Attachment()
    with nlp.select_pipes(enable=[name for name in ("tok2vec", "tagger", "parser") if nlp.has_pipe(name)]):
        for text, doc in zip(asked, nlp.pipe(text.text for text in asked), strict=True):
            atoms, _ = text_atoms(text.text, lexicon)
            total += attached(doc, atoms, align(text, atoms)[0])
    return total


def attached(doc: Doc, atoms: Atoms, graph: Graph) -> Attachment:
    """The counts of one parsed text with its gold laid onto its atoms."""
    tokens = tokens_of(doc, atoms)
    pairs = sorted((part, whole) for part, whole in graph.links if whole in graph.listed)
    heads = {token: place for place in sorted(graph.listed) for token in tokens[place]}
    own: dict[int, set[int]] = {}
    counts = dict.fromkeys(("before", "before_attached", "after", "after_attached"), 0)
    for part, whole in pairs:
        side = "before" if part < whole else "after"
        counts[side] += 1
        counts[f"{side}_attached"] += is_below(doc, tokens[part], tokens[whole])
        own.setdefault(part, set()).add(whole)
    first = {
        part: next((heads[t] for t in above(doc, tokens[part][-1]) if heads.get(t, part) != part), None) for part in own
    }
    reaching = [part for part, head in first.items() if head is not None]
    return Attachment(**counts, reaching=len(reaching), nearest_own=sum(first[part] in own[part] for part in reaching))


def is_below(doc: Doc, part: Sequence[int], whole: Sequence[int]) -> bool:
    """Whether the arcs of a noun phrase lead from the last token of `part` to a token of `whole` or of what `whole` is joined to."""
    goal = set(whole)
    token = doc[whole[-1]]
    while token.dep_ == "conj" and token.head.i not in goal:
        token = token.head
        goal.add(token.i)
    return any(place in goal for place in above(doc, part[-1]))


def above(doc: Doc, place: int) -> Iterator[int]:
    """The tokens above one, the nearest first, as far as arcs of a noun phrase lead."""
    token = doc[place]
    while token.dep_.split(":")[0] in BELOW and token.head.i != token.i:
        token = token.head
        yield token.i


def tokens_of(doc: Doc, atoms: Atoms) -> list[list[int]]:
    """The tokens of each atom; both count the same characters."""
    found: list[list[int]] = []
    place = 0
    for start, end in zip(atoms.start, atoms.end, strict=True):
        while place < len(doc) and doc[place].idx + len(doc[place]) <= start:
            place += 1
        first = place
        while place < len(doc) and doc[place].idx < end:
            place += 1
        found.append(list(range(first, place)) or [min(first, len(doc) - 1)])
    return found


def _share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0.0
