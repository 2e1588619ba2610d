"""What a catalogue teaches about words: which are brands, which end a title, which are written apart, which are misspelt.

Built once by the recipe from titles, descriptions and the brand column; shipped as JSON beside the pipeline. Mining reads
it and needs no brand column.
"""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from kgbuild.language.canonical import plain_word, singular

_WORD = re.compile("[A-Za-z\u00c0-\u00ff0-9'\u2019-]*[A-Za-z\u00c0-\u00ff0-9]|[^\\sA-Za-z0-9]")
_DOUBLED = re.compile("[^aeiou][aeiou]([^aeiou])\\1$")
_NOTHING = ("", "", "")


@dataclass
class Lexicon:
    """Word classes of one or more catalogues.

    Attributes:
        classes: word -> (brand share, brand spread, title end share), each a short string; words that were too rare
            are absent.
        joins: compounds written apart -> written together ("waist band" -> "waistband").
        typos: misspelt word -> what was meant; "three-quarter" -> "three quarter" where annotators write it so.
    """

    classes: dict[str, list[str]] = field(default_factory=dict)
    joins: dict[str, str] = field(default_factory=dict)
    typos: dict[str, str] = field(default_factory=dict)

    def of(self, word: str, lemma: str) -> tuple[str, ...] | list[str]:
        """The classes of a word, or of its lemma, or empty strings."""
        return self.classes.get(word) or self.classes.get(lemma) or _NOTHING

    def save(self, path: Path) -> None:
        """Write as JSON with sorted keys."""
        path.write_text(json.dumps(asdict(self), sort_keys=True, ensure_ascii=False, separators=(",", ":")), "utf-8")

    @classmethod
    def load(cls, path: Path) -> Lexicon:
        """Read what `save` wrote."""
        return cls(**json.loads(path.read_text("utf-8")))


def words_of(text: str) -> list[str]:
    """A quick tokenisation for counting: plain lower-case words and single signs."""
    return [plain_word(word) or word for word in _WORD.findall(text)]


def build_lexicon(products: Iterable[tuple[str, str, str]], known: frozenset[str], *, min_count: int = 4) -> Lexicon:
    """Count over (title, brand, description) triples.

    Args:
        products: the catalogue; an empty brand where it has none.
        known: words of general English (from the treebank) that are never taken for misspellings.
        min_count: rarer words get no classes.
    """
    texts: list[list[str]] = []
    in_title: Counter[str] = Counter()
    in_brand: Counter[str] = Counter()
    ends: Counter[str] = Counter()
    brands_of: dict[str, Counter[str]] = defaultdict(Counter)
    for title, brand, description in products:
        words = words_of(title)
        brand_words = set(words_of(brand))
        for word in set(words):
            in_title[word] += 1
            in_brand[word] += word in brand_words
            brands_of[word][brand] += 1
        if words:
            ends[words[-1]] += 1
        texts += [words, words_of(description)]
    counts = Counter(word for words in texts for word in words)
    kept = sorted(word for word, count in counts.items() if count >= min_count)
    classes = {}
    for word in kept:
        total = in_title[word]
        share = in_brand[word] / total if total else 0.0
        spread = max(brands_of[word].values()) / total if total > 2 else -1.0
        end = ends[word] / total if total else 0.0
        classes[word] = [_bucket(share), _bucket(spread), _bucket(end)]
    return Lexicon(classes, _joins(texts, counts), _typos(counts, known))


def _bucket(share: float) -> str:
    return "-" if share < 0 else str(int(np.searchsorted([0.001, 0.1, 0.4, 0.8, 0.999], share)))


def _joins(texts: list[list[str]], counts: Counter[str]) -> dict[str, str]:
    pairs: Counter[tuple[str, str]] = Counter()
    for words in texts:
        pairs.update(itertools.pairwise(words))
    found = {}
    for (first, second), count in pairs.items():
        last = singular(second)
        whole = first + last
        if len(first) > 2 and len(last) > 2 and first.isalpha() and last.isalpha():
            together = counts[whole] + counts[whole + "s"]
            if together >= 20 and together > 1.5 * count:
                found[f"{first} {last}"] = whole
    return found


def _typos(counts: Counter[str], known: frozenset[str]) -> dict[str, str]:
    common = {word for word, count in counts.items() if count >= 60 and len(word) > 4 and word.isalpha()}
    stems = known.union(common, *map(_stems, common))
    found = {}
    for word in sorted(counts):
        if len(word) < 5 or not word.isalpha() or word in known or counts[word] > 15 or _stems(word) & stems:
            continue  # "braiding" is no "branding": the texts have "braided"
        near = [other for other in _near(word) if other in common and counts[other] > 40 * counts[word]]
        near = [other for other in near if not _inflected(word, other) and _likely(word, other, counts[word])]
        if near:
            found[word] = max(near, key=lambda other: (counts[other], other))
    return found


def _stems(word: str) -> set[str]:
    """What of four letters or more a word may be a usual form of."""
    found = set()
    for ending in ("s", "es", "ed", "ing", "er", "ers", "ly"):
        stem = word.removesuffix(ending)
        if stem != word:
            found |= {stem, stem + "e"}
            if _DOUBLED.search(stem):
                found.add(stem[:-1])
    return {stem for stem in found if len(stem) > 3}


_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def _near(word: str) -> Iterator[str]:
    for place in range(1, len(word) + 1):
        head, tail = word[:place], word[place:]
        if tail:
            yield head + tail[1:]
            yield from (head + letter + tail[1:] for letter in _LETTERS)
        if len(tail) > 1:
            yield head + tail[1] + tail[0] + tail[2:]
        yield from (head + letter + tail for letter in _LETTERS)


def _likely(word: str, other: str, count: int) -> bool:
    """One letter for another makes a new word more often than a letter too many, too few, or out of order."""
    return len(word) != len(other) or sorted(word) == sorted(other) or (len(word) > 6 and count <= 5)


def _inflected(word: str, other: str) -> bool:
    """Whether the two differ only at their end, as inflections and derivations do."""
    shared = 0
    while shared < min(len(word), len(other)) and word[shared] == other[shared]:
        shared += 1
    return shared >= min(len(word), len(other)) - 1
