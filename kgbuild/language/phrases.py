"""Texts to their maximal concepts, sentence by sentence. A sentence met again is remembered, not read again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from spacy.language import Language
from spacy.tokens import Doc

from kgbuild.language.decode import Found
from kgbuild.language.reader import COMPONENT, ConceptReader
from kgbuild.language.sentences import sentences

_REMEMBERED = 100_000


@dataclass(frozen=True)
class Passage:
    """A text to mine; `skip` characters at its start (a brand) head nothing and modify nothing."""

    text: str
    is_title: bool
    skip: int = 0


@dataclass
class Memory:
    """What was found in sentences already read; when there are more than `size`, the older half is forgotten."""

    size: int = _REMEMBERED
    found: dict[Passage, tuple[Found, ...]] = field(default_factory=dict)

    def make_room(self) -> None:
        """Forget, if there is need; called between two lots of texts."""
        if len(self.found) > self.size:
            self.found = dict(list(self.found.items())[len(self.found) // 2 :])


def find_concepts(passages: Sequence[Passage], nlp: Language, memory: Memory) -> list[list[Found]]:
    """The concepts of each passage in text order. Keeps nothing in the vocabulary (`Language.memory_zone`).

    What is found in a sentence depends on that sentence alone, so the result is the same whatever `memory` holds.
    """
    memory.make_room()
    cut = [list(_sentences_of(passage)) for passage in passages]
    unknown = list(dict.fromkeys(one for pieces in cut for _, one in pieces if one not in memory.found))
    reader = nlp.get_pipe(COMPONENT)
    assert isinstance(reader, ConceptReader)
    with nlp.memory_zone():
        memory.found.update(zip(unknown, reader.read([_doc(nlp, one) for one in unknown]), strict=True))
    return [
        [
            replace(one, start=one.start + offset, end=one.end + offset)
            for offset, piece in pieces
            for one in memory.found[piece]
        ]
        for pieces in cut
    ]


def _sentences_of(passage: Passage) -> Iterator[tuple[int, Passage]]:
    """(offset, sentence) of a passage; what is to be skipped is told to the sentences in which it lies."""
    for offset, text in sentences(passage.text):
        yield offset, Passage(text, passage.is_title, min(len(text), max(0, passage.skip - offset)))


def _doc(nlp: Language, sentence: Passage) -> Doc:
    doc = nlp.make_doc(sentence.text)
    doc._.is_title, doc._.skip = sentence.is_title, sentence.skip
    return doc
