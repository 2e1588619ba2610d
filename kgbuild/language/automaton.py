"""Finds phrases in texts by automaton, leftmost-longest and on whole words, at a few microseconds a sentence.

A text is cut at its blanks into chunks, and each chunk becomes one character (a letter) for each of its words and signs: the word in
lower case, singular and usual spelling, so "T-Shirts", "t shirt" and "tshirt" are the same two letters. An Aho-Corasick automaton then
runs over one letter a word. What a chunk spells is worked out once and remembered, and looked up once for all its occurrences, so that the
loop over chunks is C code.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Final, NamedTuple

import ahocorasick_rs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kgbuild.language.canonical import plain_word, singular

Ints = npt.NDArray[np.int64]

_UNKNOWN: Final = "\0"  # the letter of every word that no phrase has
_BETWEEN: Final = " \0 "  # between texts: a sign that no phrase has, since `fold` leaves it out
_WORD: Final = re.compile("[\\w\u0300-\u036f]+(?:['\u2019]\\w+)*|[^\\w\\s]")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_HYPHEN: Final = re.compile("(?<=\\w)[-\u2010\u2011](?=\\w)")
_SPACES: Final = (
    "\t\n\v\f\r\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
_LONGEST: Final = 40  # characters of a chunk that is remembered
_MOST: Final = 1 << 20  # chunks that are remembered
_BLANK: Final = ord(" ")
_INSIDE: Final = (
    -1
)  # in place of an offset: a letter that begins (or ends) no word, as the second of "tshirt" begins none


def fold(text: str) -> list[str]:
    """The words and signs of a text as they are compared: "Men's T-Shirts, blue" -> ["men", "t", "shirt", ",", "blue"]."""
    return [word for word, _, _ in _spelt(lower(text)) if word != _UNKNOWN]


def lower(text: str) -> str:
    """Lower case with as many characters (that of \u0130 has two), whatever stands beside a letter (as it does for \u03a3)."""
    return text.replace("\u0130", "i").lower().replace("\u03c2", "\u03c3")


def _with_blanks(text: str) -> str:
    """The text with a blank for every other white space."""
    for space in _SPACES:
        text = text.replace(space, " ")
    return text


def _spelt(chunk: str) -> list[tuple[str, int, int]]:
    """Folded words and signs of lower-case text with their start and end in it; hyphens between words are left out."""
    found = []
    for match in _WORD.finditer(_HYPHEN.sub(" ", chunk)):
        words = _folded(match[0])
        last = len(words) - 1
        for place, word in enumerate(words):
            start = match.start() if place == 0 else _INSIDE
            found.append((word, start, match.end() if place == last else _INSIDE))
    return found


@lru_cache(maxsize=65536)
def _folded(word: str) -> tuple[str, ...]:
    """A lower-case word in the singular and its usual spelling, which may be two words; a sign as it is."""
    return tuple(re.split(r"[-\s]+", singular(plain_word(word)))) if word[0].isalnum() else (word,)


class Places(NamedTuple):
    """Where each letter of a chunk starts and ends in it."""

    starts: tuple[int, ...]
    ends: tuple[int, ...]


class _Spelling(dict[str, str]):
    """Chunk -> its letters, worked out when first asked for."""

    def __init__(self, letters: Mapping[str, str]) -> None:
        super().__init__()
        self.letters = letters

    def __missing__(self, chunk: str) -> str:
        spelling = "".join(self.letters.get(word, _UNKNOWN) for word, _, _ in _spelt(chunk))
        if len(self) < _MOST and len(chunk) <= _LONGEST:
            self[chunk] = spelling
        return spelling


class _Places(dict[str, Places]):
    """Chunk -> where its letters are, worked out when first asked for."""

    def __missing__(self, chunk: str) -> Places:
        spelt = _spelt(chunk)
        places = Places(tuple(start for _, start, _ in spelt), tuple(end for _, _, end in spelt))
        if len(self) < _MOST and len(chunk) <= _LONGEST:
            self[chunk] = places
        return places


@dataclass(frozen=True)
class Matches:
    """What was found in some texts, in the order of the texts.

    Attributes:
        phrase: (n,) the place of the phrase among those of the automaton.
        first, last: (n,) numbers of its first and last letter, of all letters of the texts.
        joined: the texts joined into one string.
        text_starts: where each text starts in `joined`.
    """

    phrase: Ints
    first: Ints
    last: Ints
    joined: str
    text_starts: Ints
    _distinct: list[str]
    _chunks: Ints  # numbers of distinct chunks
    _chunk_starts: Ints
    _chunk_lengths: Ints
    _letter_ends: Ints  # by chunk: the number of letters up to its end
    _places: _Places

    def starts(self, letters: Ints) -> Ints:
        """Where these letters start in `joined`; -1 for one that starts no word."""
        return self._offsets(letters, ends=False)

    def ends(self, letters: Ints) -> Ints:
        """Where these letters end in `joined`; -1 for one that ends no word."""
        return self._offsets(letters, ends=True)

    def _offsets(self, letters: Ints, *, ends: bool) -> Ints:
        chunk = np.searchsorted(self._letter_ends, letters, side="right")
        inside = letters - np.where(chunk > 0, self._letter_ends[chunk - 1], 0)
        several = np.flatnonzero((inside > 0) | (self._letter_ends[chunk] - letters > 1))
        offsets = (
            self._chunk_lengths[chunk] if ends else np.zeros(len(letters), np.int64)
        )  # a single letter is all of its chunk
        spelt = self._chunks[chunk[several]]
        known = {c: self._places[self._distinct[c]][ends] for c in np.unique(spelt).tolist()}
        offsets[several] = [known[c][i] for c, i in zip(spelt.tolist(), inside[several].tolist(), strict=True)]
        return np.where(offsets == _INSIDE, -1, self._chunk_starts[chunk] + offsets)

    def texts(self, letters: Ints) -> Ints:
        """Which text each of these letters belongs to."""
        chunk = np.searchsorted(self._letter_ends, letters, side="right")
        return np.searchsorted(self.text_starts, self._chunk_starts[chunk], side="right") - 1

    def letters_at(self, offsets: Ints, *, ends: bool) -> Ints:
        """The letter that starts (or ends) at each offset of `joined`; -1 where none does."""
        chunk = np.searchsorted(self._chunk_starts, offsets - ends, side="right") - 1
        before = np.where(chunk > 0, self._letter_ends[chunk - 1], 0)
        spelt = self._chunks[chunk]
        places = {c: self._places[self._distinct[c]][ends] for c in np.unique(spelt).tolist()}
        inside = zip(spelt.tolist(), (offsets - self._chunk_starts[chunk]).tolist(), strict=True)
        number = np.array([places[c].index(at) if at in places[c] else -1 for c, at in inside], np.int64)
        return np.where(number < 0, -1, before + number)


class Automaton:
    """Finds the phrases that it is made of."""

    def __init__(self, phrases: Sequence[Sequence[str]]) -> None:
        """Phrases are words as `fold` gives them; distinct, none empty."""
        often = Counter(chain.from_iterable(phrases))
        ranked = sorted(often, key=lambda word: (-often[word], word))  # frequent words get letters of few bytes
        letters = {word: _letter(number) for number, word in enumerate(ranked, start=1)}
        self._spelling = _Spelling(letters)
        self._places = _Places()
        self._automaton = ahocorasick_rs.AhoCorasick(
            ["".join(map(letters.__getitem__, phrase)) for phrase in phrases],
            matchkind=ahocorasick_rs.MatchKind.LeftmostLongest,
            store_patterns=False,
        )

    def scan(self, texts: Sequence[str]) -> Matches:
        """Leftmost-longest matches in texts, none across two texts. Memory: some tens of bytes for each character of the texts."""
        joined = _BETWEEN.join(texts)
        blank = _with_blanks(lower(joined))
        chunks = _split(blank)
        distinct = chunks.dictionary.to_pylist()
        number = chunks.indices.to_numpy()
        spelt = list(map(self._spelling.__getitem__, distinct))
        found = self._automaton.find_matches_as_indexes(_chained(spelt, chunks.indices))
        flat = np.fromiter(chain.from_iterable(found), np.int64, 3 * len(found)).reshape(-1, 3)
        codes = np.frombuffer(blank.encode("utf-32-le", "surrogatepass"), np.uint32)
        chunk_starts = np.concatenate(([0], np.flatnonzero(codes == _BLANK) + 1))
        text_lengths = np.fromiter(map(len, texts), np.int64, len(texts)) + len(_BETWEEN)
        return Matches(
            phrase=flat[:, 0],
            first=flat[:, 1],
            last=flat[:, 2] - 1,
            joined=joined,
            text_starts=np.cumsum(text_lengths) - text_lengths,
            _distinct=distinct,
            _chunks=number,
            _chunk_starts=chunk_starts,
            _chunk_lengths=np.diff(chunk_starts, append=len(codes) + 1) - 1,
            _letter_ends=np.cumsum(np.fromiter(map(len, spelt), np.int64, len(spelt))[number]),
            _places=self._places,
        )


def _split(text: str) -> pa.DictionaryArray:
    """The chunks between blanks, each distinct one held once."""
    try:
        whole = pa.array([text], pa.large_string())
    except UnicodeEncodeError:  # half of a surrogate pair: a sign, like the one put in its place, which is no character
        whole = pa.array([_SURROGATE.sub("\uffff", text)], pa.large_string())
    return pc.split_pattern(whole, " ").flatten().dictionary_encode()


def _chained(strings: Sequence[str], numbers: pa.Array) -> str:
    """The strings of these numbers end to end, without a Python string for each."""
    taken = pa.array(strings, pa.large_string()).take(numbers)
    data = taken.buffers()[2]
    return data.to_pybytes().decode() if data else ""


def _letter(number: int) -> str:
    """The `number`-th character, leaving out the surrogates, which are none."""
    return chr(number if number < 0xD800 else number + 0x800)
