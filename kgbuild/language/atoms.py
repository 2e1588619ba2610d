"""A text as atoms: words in their usual spelling with their place, fixed names in one piece.

An atom is a token, or several that write one name apart ("t shirt", "waist band").
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from spacy.tokens import Token

from kgbuild.language.canonical import fixed_pair, plain_word, singular


@dataclass
class Atoms:
    """Parallel lists, one entry an atom: canonical word, its lemma as a noun, the characters [start, end) and how they are written."""

    word: list[str] = field(default_factory=list)
    lemma: list[str] = field(default_factory=list)
    start: list[int] = field(default_factory=list)
    end: list[int] = field(default_factory=list)
    raw: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.word)


def atoms_of(tokens: Iterable[Token], *, joins: Mapping[str, str], typos: Mapping[str, str]) -> Atoms:
    """The atoms of some tokens of one text; white space is left out.

    Args:
        tokens: in text order; offsets are those of their document.
        joins: compounds written apart, "waist band" -> "waistband", the last word in the singular.
        typos: misspelt words and what was meant; "nose-pad" -> "nose pad" makes two atoms.
    """
    atoms = Atoms()
    for token in tokens:
        raw = token.text
        if raw.isspace():
            continue
        word = plain_word(raw) or raw.lower()
        word = typos.get(word, word)
        for piece, said, start in _pieces(word, raw, token.idx):
            _append(atoms, piece, said, start, joins)
    return atoms


def _pieces(word: str, raw: str, start: int) -> Iterator[tuple[str, str, int]]:
    """A word as it is meant, as it is written and where; "nose pad" written "nose-pad" is two."""
    words, parts = word.split(" "), raw.split("-")
    if len(words) != len(parts):
        words, parts = [word], [raw]
    for one, part in zip(words, parts, strict=True):
        yield one, part, start
        start += len(part) + 1


def _append(atoms: Atoms, word: str, raw: str, start: int, joins: Mapping[str, str]) -> None:
    end = start + len(raw)
    if "-" in word:
        word = joins.get(singular(word).replace("-", " "), word)
    whole = _whole_name(atoms, word, start, joins)
    if whole:
        atoms.raw[-1] += (" " if start > atoms.end[-1] else "") + raw
        atoms.word[-1], atoms.lemma[-1], atoms.end[-1] = whole, singular(whole), end
    else:
        atoms.word.append(word)
        atoms.lemma.append(singular(word))
        atoms.start.append(start)
        atoms.end.append(end)
        atoms.raw.append(raw)


def _whole_name(atoms: Atoms, word: str, start: int, joins: Mapping[str, str]) -> str | None:
    if not atoms.word or start - atoms.end[-1] > 1:
        return None
    before = atoms.word[-1]
    return fixed_pair(before, word) or joins.get(f"{before} {word}") or joins.get(f"{before} {singular(word)}")
