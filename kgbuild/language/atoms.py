"""A parsed text as atoms: words in their usual spelling with place, tag and arc, fixed names in one piece.

An atom is a token, or several that write one name apart ("t shirt", "waist band"). Tags are Penn tags and arcs UD's,
whichever pipeline made them: the ClearNLP-style labels of `en_core_web_*` are renamed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from spacy.tokens import Doc

from kgbuild.language.canonical import fixed_pair, plain_word, singular

_UD_NAMES = {
    "dobj": "obj", "pobj": "nmod", "attr": "xcomp", "oprd": "xcomp", "acomp": "xcomp", "agent": "case", "prep": "case",
    "relcl": "acl:relcl", "poss": "nmod:poss", "npadvmod": "obl", "nsubjpass": "nsubj:pass", "auxpass": "aux",
    "prt": "compound:prt", "nn": "compound", "neg": "advmod", "quantmod": "advmod", "intj": "discourse", "root": "ROOT",
    "dative": "iobj", "meta": "dep", "pcomp": "acl", "predet": "det", "complm": "mark",
}  # fmt: skip


@dataclass
class Atoms:
    """Parallel lists, one entry an atom; `head` is the index of the governing atom, a root's is its own."""

    text: str
    word: list[str] = field(default_factory=list)
    lemma: list[str] = field(default_factory=list)
    start: list[int] = field(default_factory=list)
    end: list[int] = field(default_factory=list)
    tag: list[str] = field(default_factory=list)
    dep: list[str] = field(default_factory=list)
    head: list[int] = field(default_factory=list)
    raw: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.word)


def atoms_of(doc: Doc, text: str, *, joins: Mapping[str, str], typos: Mapping[str, str]) -> Atoms:
    """The atoms of a parsed text; white space is left out. `doc` holds the characters of `text`, maybe lower-cased.

    Args:
        doc: the parse.
        text: the text as written; offsets are places in it.
        joins: compounds written apart, "waist band" -> "waistband", the last word in the singular.
        typos: misspelt words and what was meant.
    """
    atoms = Atoms(text)
    index: list[int] = []
    parents: list[int] = []
    for token in doc:
        if token.is_space:
            index.append(max(0, len(atoms) - 1))
            continue
        start, end = token.idx, token.idx + len(token)
        word = plain_word(token.text) or token.text.lower()
        word = typos.get(word, word)
        if "-" in word:
            word = joins.get(singular(word).replace("-", " "), word)
        whole = _whole_name(atoms, word, start, joins)
        if whole:
            atoms.word[-1], atoms.end[-1] = whole, end
            atoms.lemma[-1] = singular(whole)
            atoms.tag[-1], atoms.dep[-1], parents[-1] = token.tag_, token.dep_, token.head.i
            atoms.raw[-1] = text[atoms.start[-1] : end]
        else:
            atoms.word.append(word)
            atoms.lemma.append(singular(word))
            atoms.start.append(start)
            atoms.end.append(end)
            atoms.tag.append(token.tag_)
            atoms.dep.append(token.dep_)
            atoms.raw.append(text[start:end])
            parents.append(token.head.i)
        index.append(len(atoms) - 1)
    atoms.head = [index[parent] for parent in parents]
    atoms.dep = [_UD_NAMES.get(dep, dep) for dep in atoms.dep]
    return atoms


def _whole_name(atoms: Atoms, word: str, start: int, joins: Mapping[str, str]) -> str | None:
    if not atoms.word or start - atoms.end[-1] > 1:
        return None
    before = atoms.word[-1]
    return fixed_pair(before, word) or joins.get(f"{before} {word}") or joins.get(f"{before} {singular(word)}")
