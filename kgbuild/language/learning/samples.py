"""Texts as what the network learns from: sentences in numbers, with what an annotation says of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np

from kgbuild.language.atoms import Atoms, atoms_of
from kgbuild.language.inputs import SentenceRows, Vocabulary, sentence_rows
from kgbuild.language.learning.align import align
from kgbuild.language.learning.annotations import Annotated
from kgbuild.language.learning.fit import Sample
from kgbuild.language.lexicon import Lexicon
from kgbuild.language.model import Span, spans
from kgbuild.language.sentences import sentences
from kgbuild.language.tokens import blank_pipeline

Text = tuple[str, bool]
"""A text, and whether it is a title."""

MIN_COUNT = 4
_LONGEST = 6000


def text_atoms(text: str, lexicon: Lexicon) -> tuple[Atoms, list[Span]]:
    """The atoms of a whole text, and the pieces of it that the network reads on their own."""
    whole, pieces = Atoms(), []
    for offset, sentence in sentences(text):
        atoms = atoms_of(_NLP.make_doc(sentence), joins=lexicon.joins, typos=lexicon.typos)
        pieces += [(len(whole) + start, len(whole) + end) for start, end in spans(atoms.word)]
        whole.word += atoms.word
        whole.lemma += atoms.lemma
        whole.raw += atoms.raw
        whole.start += [offset + place for place in atoms.start]
        whole.end += [offset + place for place in atoms.end]
    return whole, pieces


def samples_of(texts: Iterable[Annotated], vocabulary: Vocabulary, *, weight: float = 1.0) -> list[Sample]:
    """Each piece of each text with its share of the text's concepts."""
    samples = []
    for text in texts:
        atoms, pieces = text_atoms(text.text, vocabulary.lexicon)
        graph, _ = align(text, atoms)
        for start, end in pieces:
            rows = sentence_rows(atoms, start, end, vocabulary, is_title=text.is_title)
            listed = np.array([place in graph.listed for place in range(start, end)], np.float32)
            inside = [
                (p - start, w - start, 1.0) for p, w in sorted(graph.links) if start <= min(p, w) and max(p, w) < end
            ]
            samples.append(Sample(rows, listed, inside, weight))
    return samples


def vocabulary_of(texts: Iterable[Text], lexicon: Lexicon) -> Vocabulary:
    """The words that occur at least MIN_COUNT times, by the alphabet."""
    counts: Counter[str] = Counter()
    for text, _ in texts:
        counts.update(text_atoms(text[:_LONGEST], lexicon)[0].word)
    return Vocabulary.of(sorted(word for word, count in counts.items() if count >= MIN_COUNT), lexicon)


def catalogue_sentences(texts: Iterable[Text], vocabulary: Vocabulary) -> Iterator[SentenceRows]:
    """Every distinct sentence of two words or more."""
    seen: set[Text] = set()
    for text, is_title in texts:
        for _, sentence in sentences(text[:_LONGEST]):
            if (sentence, is_title) in seen:
                continue
            seen.add((sentence, is_title))
            atoms, pieces = text_atoms(sentence, vocabulary.lexicon)
            for start, end in pieces:
                if end - start > 1:
                    yield sentence_rows(atoms, start, end, vocabulary, is_title=is_title)


_NLP = blank_pipeline()
