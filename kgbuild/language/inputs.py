"""The words of a sentence as numbers: rows of the embedding tables of `kgbuild.language.network`."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from kgbuild.language.atoms import Atoms
from kgbuild.language.lexicon import Lexicon
from kgbuild.language.network import Inputs, Ints

UNKNOWN = 1
HASHED = 2047
"""Endings and beginnings of words share this many rows; row 0 is for nothing."""
TITLE, TEXT = 4, 1
_ABSENT = 0

WordRow = tuple[int, int, int, int, int, int]


@dataclass
class Vocabulary:
    """Which word has which row.

    Attributes:
        words: word -> row, from 2 on; 1 is any other word.
        lexicon: word classes learned from a catalogue.
    """

    words: Mapping[str, int]
    lexicon: Lexicon
    _rows: dict[str, WordRow] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, words: Sequence[str], lexicon: Lexicon) -> Vocabulary:
        """Number the words in their order."""
        return cls({word: 2 + row for row, word in enumerate(words)}, lexicon)

    @classmethod
    def load(cls, path: Path, lexicon: Lexicon) -> Vocabulary:
        """Read what `save` wrote."""
        return cls.of(json.loads(path.read_text("utf-8")), lexicon)

    def save(self, path: Path) -> None:
        """Write the words as a JSON list."""
        path.write_text(json.dumps(list(self.words), ensure_ascii=False, separators=(",", ":")), "utf-8")

    def word_row(self, word: str, lemma: str) -> WordRow:
        """Rows of the word itself, its ending, its beginning, and its three classes; each word is looked up once."""
        found = self._rows.get(word)
        if found is None:
            if len(self._rows) > 200_000:  # misspellings and numbers of a long run
                self._rows.clear()
            brand, spread, end = (int(c) + 1 if c.isdigit() else _ABSENT for c in self.lexicon.of(word, lemma))
            found = (self.words.get(word, UNKNOWN), _hashed(word[-3:]), _hashed(word[:4]), brand, spread, end)
            self._rows[word] = found
        return found


@dataclass(frozen=True)
class SentenceRows:
    """One sentence as `Inputs` without the first axis."""

    words: Ints
    shape: Ints
    is_title: bool

    def __len__(self) -> int:
        return len(self.shape)


def sentence_rows(atoms: Atoms, start: int, end: int, vocabulary: Vocabulary, *, is_title: bool) -> SentenceRows:
    """The atoms from `start` to `end`."""
    rows = [vocabulary.word_row(*both) for both in zip(atoms.word[start:end], atoms.lemma[start:end], strict=True)]
    return SentenceRows(
        np.array(rows, np.int64), np.array([_casing(r) for r in atoms.raw[start:end]], np.int64), is_title
    )


def stacked(sentences: Sequence[SentenceRows]) -> Inputs:
    """Sentences of one length as the input of the network."""
    words = np.stack([one.words for one in sentences])
    shape = np.stack([one.shape for one in sentences])
    field = np.array([[TITLE if one.is_title else TEXT] for one in sentences])
    return Inputs(
        words[..., 0], words[..., 1], words[..., 2], shape, np.broadcast_to(field, shape.shape), words[..., 3:]
    )


def _hashed(piece: str) -> int:
    return 1 + zlib.crc32(piece.encode()) % HASHED


def _casing(raw: str) -> int:
    """1 lower case or no letter, 2 capital first, 3 capitals."""
    return 3 if raw.isupper() and len(raw) > 1 else 2 if raw[:1].isupper() else 1
