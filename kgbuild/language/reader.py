"""The spaCy component `kgbuild_concepts`: a tokenised document -> `doc._.concepts`, its maximal concepts in text order.

It needs tokens and nothing else: adding what the tagger and the parser say made no measurable difference (bench/language.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from spacy.language import Language
from spacy.tokens import Doc

from kgbuild.errors import ModelError
from kgbuild.language.atoms import Atoms, atoms_of
from kgbuild.language.decode import Found, Graph, concepts_of
from kgbuild.language.model import ConceptModel
from kgbuild.language.sentences import sentences

COMPONENT = "kgbuild_concepts"

Doc.set_extension("concepts", default=(), force=True)
Doc.set_extension("is_title", default=False, force=True)
Doc.set_extension("skip", default=0, force=True)


@Language.factory(COMPONENT, assigns=["doc._.concepts"])
class ConceptReader:
    """Finds concepts. `doc._.is_title` tells a title from running text; the first `doc._.skip` characters (a brand) name nothing."""

    def __init__(self, nlp: Language, name: str = COMPONENT) -> None:  # noqa: ARG002 (spaCy calls it so)
        self.name = name
        self._model: ConceptModel | None = None

    @property
    def concept_model(self) -> ConceptModel:
        """The concept model.

        Raises:
            ModelError: none was loaded.
        """
        if self._model is None:
            raise ModelError(
                f"the spaCy component {self.name!r} has no model",
                "load a pipeline that was saved with one (kgbuild.language.load_pipeline), or call from_disk(FOLDER)",
            )
        return self._model

    def __call__(self, doc: Doc) -> Doc:
        """Set `doc._.concepts`."""
        return self._set([doc])[0]

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 256) -> Iterator[Doc]:
        """Set `doc._.concepts` of many."""
        source = iter(stream)
        while docs := list(islice(source, batch_size)):
            yield from self._set(docs)

    def _set(self, docs: list[Doc]) -> list[Doc]:
        for doc, found in zip(docs, self.read(docs), strict=True):
            doc._.concepts = found
        return docs

    def read(self, docs: Sequence[Doc]) -> list[tuple[Found, ...]]:
        """The concepts of each document, in text order."""
        pieces = [(number, atoms) for number, doc in enumerate(docs) for atoms in self._sentences(doc)]
        is_title = [bool(doc._.is_title) for doc in docs]
        graphs = self.concept_model.graphs(
            [atoms for _, atoms in pieces], is_title=[is_title[number] for number, _ in pieces]
        )
        found: list[list[Found]] = [[] for _ in docs]
        for (number, atoms), graph in zip(pieces, graphs, strict=True):
            kept = _without(graph, atoms, docs[number]._.skip)
            found[number] += concepts_of(atoms, kept, is_title=is_title[number])
        return [tuple(concepts) for concepts in found]

    def _sentences(self, doc: Doc) -> Iterator[Atoms]:
        lexicon, place = self.concept_model.lexicon, 0
        for start, text in sentences(doc.text):
            while place < len(doc) and doc[place].idx < start:
                place += 1
            first = place
            while place < len(doc) and doc[place].idx < start + len(text):
                place += 1
            yield atoms_of(doc[first:place], joins=lexicon.joins, typos=lexicon.typos)

    def to_disk(self, path: Path | str, *, exclude: Sequence[str] = ()) -> None:  # noqa: ARG002 (spaCy calls it so)
        """Write the model's files (called by `Language.to_disk`)."""
        self.concept_model.save(Path(path))

    def from_disk(self, path: Path | str, *, exclude: Sequence[str] = ()) -> ConceptReader:  # noqa: ARG002
        """Read the model's files (called by `spacy.load`)."""
        self._model = ConceptModel.load(Path(path))
        return self


def _without(graph: Graph, atoms: Atoms, skip: int) -> Graph:
    """The graph without the atoms in the first `skip` characters."""
    if not skip:
        return graph
    early = {place for place, end in enumerate(atoms.end) if end <= skip}
    links = {(part, whole) for part, whole in graph.links if not {part, whole} & early}
    return Graph(graph.listed - early, links, graph.domains)
