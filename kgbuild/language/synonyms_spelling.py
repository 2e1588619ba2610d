"""Spellings of one word: which pairs of words may be one, by their letters alone, and how sure that is by their company.

Candidates come from keys that both words share (a folded form, or the word with one letter left out), never from all pairs.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import Final

from kgbuild.language.canonical import singular

_REGIONAL: Final = tuple(
    (re.compile(pattern), plain)
    for pattern, plain in (
        ("ae", "e"),
        ("is(?=(?:e|ed|er|ers|es|ing|ation)$)", "iz"),  # organiser, organizer
        ("ys(?=(?:e|ed|er|ing)$)", "yz"),
        ("our", "or"),  # colour, color
        ("ou(?=l)", "o"),  # moulded, molded
        ("(?<=[^aeiou])re(?=d?$)", "er"),  # centre, center
        ("ered$", "erd"),
        ("ogue$", "og"),
        ("ellery$", "elry"),
        ("ium$", "um"),
        ("ey", "ay"),  # grey, gray
        ("ee$", "i"),  # saree, sari: the same sound written in Latin letters
    )
)


def folded(name: str) -> str:
    """Letters, digits and plus signs alone, without accents: "T-Shirt" and "t shirt" -> "tshirt"."""
    return "".join(c for c in unicodedata.normalize("NFKD", name.casefold()) if c.isalnum() or c == "+")


@lru_cache(maxsize=65536)
def regional(word: str) -> str:
    """A key that British, American and other usual spellings of a folded word share; no spelling itself."""
    for pattern, plain in _REGIONAL:
        word = pattern.sub(plain, word)
    return _single(word)


def _single(word: str) -> str:
    return re.sub(r"(.)\1+", r"\1", word)


@dataclass(frozen=True)
class Bar:
    """What a pair must reach to be merged: letters of the shorter word, ratio of supports, explained nats, similarity."""

    letters: int
    ratio: float
    nats: float
    similarity: float


_NO: Final = -9.0
BARS: Final[dict[str, tuple[Bar, ...]]] = {
    "hyphen": (Bar(2, 1, _NO, _NO),),
    "number": (Bar(5, 1, _NO, -0.3), Bar(4, 1, 0.3, 0.2)),
    "regional": (Bar(7, 1, -2.0, _NO), Bar(4, 1, 0.3, 0.2)),
    "doubled letter": (Bar(7, 3, -2.0, _NO), Bar(5, 1, 0.3, 0.3)),
    "swapped letters": (Bar(7, 10, -1.2, _NO), Bar(6, 5, 0.5, 0.3)),
    "one letter": (Bar(6, 8, 0.5, 0.3),),
    "other letter": (Bar(7, 8, 1.0, 0.5),),
    "inflection": (),
}
"""Any one of a rule's bars suffices. Read off the val catalogue (bench/RESULTS.md); inflections are only proposed."""


def passes(rule: str, pair: tuple[str, str], supports: tuple[int, int], nats: float, similarity: float) -> bool:
    """Whether a (rarer, commoner) pair is nearly certain to be one word."""
    letters, ratio = min(map(len, pair)), supports[1] / max(supports[0], 1)
    return any(
        letters >= bar.letters and ratio >= bar.ratio and nats >= bar.nats and similarity >= bar.similarity
        for bar in BARS[rule]
    )


def spelling_pairs(words: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """(word, word, rule) for all pairs that may be spellings of one word; each pair once, in the order of the alphabet."""
    found = {pair for names in _by_key(words).values() for pair in combinations(sorted(names), 2)}
    for first, second in sorted(found):
        rule = spelling_rule(first, second)
        if rule:
            yield first, second, rule


_MOST_ALIKE: Final = 40
"""A key that more words share says nothing about them: the number of pairs stays linear."""


def _by_key(words: Iterable[str]) -> dict[str, set[str]]:
    keys: dict[str, set[str]] = defaultdict(set)
    for word in words:
        plain = folded(word)
        if len(plain) < 2 or any(c.isdigit() for c in plain):
            continue
        shared = {f"={plain}", f"={folded(singular(word))}", f"~{regional(plain)}", f"-{plain}"}
        if 4 <= len(plain) <= 30:
            shared |= {f"-{plain[:place]}{plain[place + 1 :]}" for place in range(len(plain))}
        for key in shared:
            keys[key].add(word)
    return {key: names for key, names in keys.items() if 1 < len(names) <= _MOST_ALIKE}


def spelling_rule(first: str, second: str) -> str | None:
    """How two words differ in their letters, if in a way that spellings do."""
    one, other = folded(first), folded(second)
    if one == other:
        return "hyphen"
    if singular(first) == second or singular(second) == first:
        return "number"
    if regional(one) == regional(other):
        return "doubled letter" if _single(one) == _single(other) else "regional"
    if one[0] != other[0] or abs(len(one) - len(other)) > 1 or min(len(one), len(other)) < 4:
        return None
    start = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    edit = _edit(one, other, start)
    return "inflection" if edit and start >= min(len(one), len(other)) - 1 else edit


def _edit(one: str, other: str, start: int) -> str | None:
    """The kind of the one edit at `start` that makes `other` of `one`, if one is enough."""
    if len(one) != len(other):
        short, long = sorted((one, other), key=len)
        return "one letter" if short[start:] == long[start + 1 :] else None
    if one[start + 1 :] == other[start + 1 :]:
        vowels = one[start] in "aeiouy" and other[start] in "aeiouy"
        return "one letter" if vowels else "other letter"
    crossed = one[start : start + 2] == other[start : start + 2][::-1]
    return "swapped letters" if crossed and one[start + 2 :] == other[start + 2 :] else None
