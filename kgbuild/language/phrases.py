"""One text to its maximal concepts: parse, atoms, graph, canonical forms."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from spacy.language import Language

from kgbuild.language.atoms import atoms_of
from kgbuild.language.decode import Found, concepts_of
from kgbuild.language.features import Context, context_of
from kgbuild.language.pipeline import Reader
from kgbuild.language.tokens import lowered_doc

_BREAKS = str.maketrans("\n\r\t\v\f\u2028\u2029\u00a0", "        ")


@dataclass(frozen=True)
class Passage:
    """A text to mine and the title of its product; `skip` characters at its start (a brand) head nothing and modify nothing."""

    text: str
    is_title: bool
    title: str = ""
    skip: int = 0


def contexts(passages: Iterable[Passage], nlp: Language, reader: Reader, *, batch_size: int) -> Iterator[Context]:
    """Parse passages and look their words up, in order."""
    pairs = ((lowered_doc(nlp, p.text.translate(_BREAKS)), p) for p in passages)
    for doc, passage in nlp.pipe(pairs, as_tuples=True, batch_size=batch_size):
        atoms = atoms_of(doc, passage.text, joins=reader.lexicon.joins, typos=reader.lexicon.typos)
        yield context_of(atoms, reader.lexicon, is_title=passage.is_title, title=passage.title)


def find_concepts(passages: list[Passage], nlp: Language, reader: Reader, *, batch_size: int) -> list[list[Found]]:
    """The concepts of each passage in text order. Keeps nothing in the vocabulary (`Language.memory_zone`)."""
    found = []
    with nlp.memory_zone():
        for passage, context in zip(passages, contexts(passages, nlp, reader, batch_size=batch_size), strict=True):
            graph = reader.model.graph(context)
            if passage.skip:
                early = {i for i, end in enumerate(context.atoms.end) if end <= passage.skip}
                graph.listed -= early
                graph.links = {(part, whole) for part, whole in graph.links if not {part, whole} & early}
            found.append(concepts_of(context.atoms, graph, is_title=passage.is_title))
    return found
