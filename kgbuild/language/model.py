"""The concept model: sentences as atoms -> which atoms head a concept, what these name, and which modify which.

The thresholds are those that gave the best held-out F1 when the model was learned. A sentence in which rounding could turn a decision is
read again alone, so what is found in it never depends on the sentences read with it.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kgbuild.domains import DOMAINS
from kgbuild.language.atoms import Atoms
from kgbuild.language.decode import Graph
from kgbuild.language.inputs import SentenceRows, Vocabulary, sentence_rows, stacked
from kgbuild.language.lexicon import Lexicon
from kgbuild.language.network import Network

LONGEST = 64
"""Words that the network reads at once; longer sentences are cut at commas."""
_TOGETHER = 3072
_DOUBT = 1e-3

Links = set[tuple[int, int]]
Span = tuple[int, int]


@dataclass(frozen=True)
class ConceptModel:
    """Network, vocabulary and thresholds (probabilities)."""

    network: Network
    vocabulary: Vocabulary
    listed: float
    link: float

    @property
    def lexicon(self) -> Lexicon:
        """Word classes, compounds and misspellings."""
        return self.vocabulary.lexicon

    @classmethod
    def load(cls, folder: Path) -> ConceptModel:
        """Read the files that the recipe leaves in a folder."""
        lexicon = Lexicon.load(folder / "lexicon.json")
        thresholds = json.loads((folder / "thresholds.json").read_text("utf-8"))
        return cls(Network.load(folder), Vocabulary.load(folder / "vocabulary.json", lexicon), **thresholds)

    def save(self, folder: Path) -> None:
        """Write what `load` reads; the same model gives the same bytes."""
        folder.mkdir(parents=True, exist_ok=True)
        self.network.save(folder)
        self.lexicon.save(folder / "lexicon.json")
        self.vocabulary.save(folder / "vocabulary.json")
        thresholds = {"listed": self.listed, "link": self.link}
        (folder / "thresholds.json").write_text(json.dumps(thresholds), "utf-8")

    def graphs(self, sentences: Sequence[Atoms], *, is_title: Sequence[bool]) -> list[Graph]:
        """The concepts of each sentence as a graph over its atoms."""
        graphs = [Graph() for _ in sentences]
        by_length: dict[int, list[tuple[int, int, SentenceRows]]] = defaultdict(list)
        for number, (atoms, title) in enumerate(zip(sentences, is_title, strict=True)):
            for start, end in spans(atoms.word):
                rows = sentence_rows(atoms, start, end, self.vocabulary, is_title=title)
                by_length[len(rows)].append((number, start, rows))
        for length, pieces in by_length.items():
            for first in range(0, len(pieces), step := max(1, _TOGETHER // length)):
                some = pieces[first : first + step]
                for (number, start, _), found in zip(some, self._decide([rows for *_, rows in some]), strict=True):
                    _add(graphs[number], start, sentences[number], found)
        return graphs

    def _decide(self, rows: Sequence[SentenceRows]) -> Iterator[_Decided]:
        """What is decided on each sentence."""
        scores = self.network.scores(stacked(rows))
        listed, links = scores.listed - logit(self.listed), scores.links - logit(self.link)
        kinds = self.network.domains(scores.words[listed > 0])
        ends = np.cumsum((listed > 0).sum(axis=1))
        for place, (heads, pairs, own) in enumerate(zip(listed, links, np.split(kinds, ends[:-1]), strict=True)):
            highest = np.partition(own, -2, axis=1)[:, -2:]
            nearest = min(np.abs(heads).min(), np.abs(pairs).min(), np.diff(highest, axis=1).min(initial=np.inf))
            if len(rows) > 1 and nearest < _DOUBT:
                yield from self._decide(rows[place : place + 1])
            else:
                yield _Decided(np.flatnonzero(heads > 0), own.argmax(axis=1), np.argwhere(pairs > 0))


class _Decided(NamedTuple):
    """The places listed, the number of what each names, and the pairs (modifier, modified) linked."""

    listed: npt.NDArray[np.intp]
    domains: npt.NDArray[np.intp]
    links: npt.NDArray[np.intp]


def _add(graph: Graph, start: int, atoms: Atoms, decided: _Decided) -> None:
    """Put what was found in one piece into its sentence's graph."""
    kinds = zip(decided.listed.tolist(), decided.domains.tolist(), strict=True)
    graph.domains |= {start + place: DOMAINS[kind] for place, kind in kinds}
    pairs = {(start + part, start + whole) for part, whole in decided.links.tolist()}
    listed, links = sound(atoms.word, {start + place for place in decided.listed.tolist()}, pairs)
    graph.listed |= listed
    graph.links |= links


def sound(words: Sequence[str], listed: set[int], links: Links) -> tuple[set[int], Links]:
    """What is listed and linked without signs, numbers that head a concept, and what a unit already says (`prune`)."""
    said = [any(letter.isalnum() for letter in word) for word in words]
    heads = {place for place in listed if any(letter.isalpha() for letter in words[place])}
    return heads, prune({(part, whole) for part, whole in links if said[part] and said[whole]})


def prune(links: Links) -> Links:
    """Without what a unit already says: in "short sleeve t-shirt", "short" does not also modify the t-shirt."""
    return {
        (part, whole)
        for part, whole in links
        if not any(
            part < other < whole and (part, other) in links and (other, whole) in links
            for other in range(part + 1, whole)
        )
    }


def spans(words: Sequence[str]) -> list[Span]:
    """(start, end) of pieces of at most LONGEST words, cut after signs where there are any."""
    found, start = [], 0
    while len(words) - start > LONGEST:
        end = _last(words, start, ".!?;", 8) or _last(words, start, ",", 24) or start + LONGEST
        found.append((start, end))
        start = end
    return [*found, (start, len(words))] if start < len(words) else found


def _last(words: Sequence[str], start: int, signs: str, least: int) -> int | None:
    """The place after the last of these signs that leaves a piece of more than `least` words."""
    return next((i + 1 for i in range(start + LONGEST - 1, start + least - 1, -1) if words[i] in signs), None)


def logit(p: float) -> float:
    """Log odds of a probability."""
    return math.log(p / (1 - p))
