"""What annotators write for the words of a text: which words are meant as they stand, and which they spell otherwise."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Set
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from itertools import pairwise

from kgbuild.language.canonical import singular
from kgbuild.language.learning.annotations import Annotated
from kgbuild.language.lexicon import Lexicon, words_of

_ALIKE = 0.8
"""So alike must a word and its correction be (ratio of Ratcliff and Metzener 1988)."""
_APART = 5  # letters: of a shorter word one in five is much


@dataclass
class Written:
    """Words of annotated texts as annotators write them.

    Attributes:
        kept: words that stand in concepts as they stand in the text.
        corrected: word -> what most write for it; a plural for a plural.
        apart: compounds written apart in texts that most write apart in concepts too ("back strap").
    """

    kept: frozenset[str] = frozenset()
    corrected: dict[str, str] = field(default_factory=dict)
    apart: frozenset[str] = frozenset()


def written(texts: Iterable[tuple[Annotated, int]], known: frozenset[str]) -> Written:
    """Count over annotated texts, each with how often it counts; words in `known` are never corrected."""
    kept, apart, joined = Counter[str](), Counter[str](), Counter[str]()
    corrected: dict[str, Counter[str]] = defaultdict(Counter)
    for text, times in texts:
        words = words_of(text.text)
        units = [unit for head, modifiers in text.concepts for unit in (head, *modifiers)]
        said = {word for unit in units for word in unit.split()}
        here = {form for word in words for form in (word, singular(word))}
        kept.update(dict.fromkeys({word for word in words if {word, singular(word)} & said}, times))
        strange = [word for word in {*said} - here if len(word) >= _APART]
        for word in {*words} - known:
            other = None if {word, singular(word)} & said or " " in word else _other(word, strange, said)
            if other and not other.startswith(word):  # "appliqué d" is a slip of the text, not of the word
                corrected[word][other] += times
        for first, second in {*pairwise(words)}:
            whole, last = first + singular(second), singular(second)
            (joined if whole in said else apart)[f"{first} {last}"] += times * bool({whole, last} & said)
    found = {}
    for word, others in sorted(corrected.items()):
        other, times = min(others.items(), key=lambda one: (-one[1], one[0]))
        if times > kept[word] and 2 * times > sum(others.values()):
            found[word] = other
    for word, other in [one for one in found.items() if " " in one[1]]:  # "full-sleeves" with "full-sleeve"
        lemma, last = singular(word), singular(other)
        for form, meant in ((lemma, last), (f"{lemma}s", f"{last}s")):
            if not kept[form]:
                found.setdefault(form, meant)
    return Written(frozenset(kept), found, frozenset(pair for pair, n in apart.items() if n > joined[pair]))


def respelt(lexicon: Lexicon, by: Written) -> Lexicon:
    """The lexicon with the corrections of annotators, without those and the compounds that they do not share."""
    typos = {word: meant for word, meant in lexicon.typos.items() if word not in by.kept}
    joins = {pair: whole for pair, whole in lexicon.joins.items() if pair not in by.apart}
    return replace(lexicon, joins=joins, typos=dict(sorted({**typos, **by.corrected}.items())))


def _other(word: str, strange: Iterable[str], said: Set[str]) -> str | None:
    """What is written in the place of a word: its parts without hyphens, or one much like it."""
    lemma = singular(word)
    plural = "s" * (word == lemma + "s")
    parts = lemma.split("-")
    if len(parts) > 1 and all(part in said or part.isdigit() for part in parts) and not parts[-1].isdigit():
        return " ".join(parts) + plural
    if len(word) < _APART:
        return None
    alike = [
        (SequenceMatcher(None, lemma, other, autojunk=False).ratio(), other) for other in strange if other[0] == word[0]
    ]
    ratio, best = max(alike, default=(0.0, ""))
    return best + plural if ratio > _ALIKE else None
