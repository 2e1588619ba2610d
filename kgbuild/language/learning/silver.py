"""Trees of the catalogue's own sentences for the parser to learn from: a first parser's, corrected by the concept network.

Two readers look at a sentence. The first parser gives a whole tree by the treebank's conventions, and errs on catalogue language; the
network says which word modifies which head, and nothing else. Where they agree the tree stays. Where they differ the modifier is hung
where the network says, by the treebank's conventions (`Tree.correct`). A sentence in which this gives no sound tree, or in which a link
cannot be had, is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from spacy.language import Language
from spacy.tokens import Doc

from kgbuild.language.atoms import Atoms, atoms_of
from kgbuild.language.decode import Graph
from kgbuild.language.learning.attachment import tokens_of
from kgbuild.language.learning.samples import Text
from kgbuild.language.learning.treebank import Sentence
from kgbuild.language.learning.trees import Links, Tree
from kgbuild.language.model import ConceptModel
from kgbuild.language.sentences import sentences

_SHORTEST, _LONGEST = 3, 40
"""Words of a sentence."""
_TOGETHER = 2000


def silver_sentences(
    texts: Iterable[Text], nlp: Language, model: ConceptModel, *, without: frozenset[str]
) -> Iterator[Sentence]:
    """Sentences of the texts in their order, each once, with tree and tags.

    Args:
        texts: of the catalogue.
        nlp: the first parser.
        model: the concept network.
        without: sentences that must not be learned from, because something is measured on them.
    """
    asked = distinct_sentences(texts, without)
    while some := list(islice(asked, _TOGETHER)):
        docs = list(nlp.pipe(text for text, _ in some))
        atoms = [atoms_of(doc, joins=model.lexicon.joins, typos=model.lexicon.typos) for doc in docs]
        titles = [is_title for _, is_title in some]
        graphs = model.graphs(atoms, is_title=titles)
        for doc, words, graph, is_title in zip(docs, atoms, graphs, titles, strict=True):
            if _SHORTEST <= len(doc) <= _LONGEST and not any(token.is_space for token in doc):
                yield from _trees(doc, words, graph, is_title=is_title)


def distinct_sentences(texts: Iterable[Text], without: frozenset[str]) -> Iterator[Text]:
    """(sentence, whether it is a title), each once, none of `without`; line ends inside one become blanks."""
    seen = set(without)
    for text, is_title in texts:
        for _, sentence in sentences(text):
            plain = " ".join(sentence.split())
            if plain not in seen:
                seen.add(plain)
                yield plain, is_title


def _trees(doc: Doc, atoms: Atoms, graph: Graph, *, is_title: bool) -> Iterator[Sentence]:
    """The corrected trees of one sentence (a parser may see several in it), or nothing."""
    links, heads = links_of(doc, atoms, graph)
    tree = Tree(
        [token.text for token in doc],
        [bool(token.whitespace_) for token in doc],
        [token.tag_ for token in doc],
        [token.head.i for token in doc],
        [token.dep_ for token in doc],
    )
    if links and tree.correct(links, heads, is_title=is_title):
        yield from tree.sentences()


def links_of(doc: Doc, atoms: Atoms, graph: Graph) -> tuple[Links, frozenset[int]]:
    """What the network says, between tokens: the last of a modifier -> the last of each word modified; and which tokens are heads."""
    last = [places[-1] for places in tokens_of(doc, atoms)]
    links: dict[int, set[int]] = {}
    for part, whole in graph.links:
        if last[part] != last[whole]:
            links.setdefault(last[part], set()).add(last[whole])
    return links, frozenset(last[place] for place in graph.listed)
