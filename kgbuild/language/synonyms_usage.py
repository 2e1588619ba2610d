"""Names that are used alike: where a title says the one, the rest of the text says the other.

Similar company alone is no sign (black and white keep the same), so a pair must also stand for one another: said of the same product,
one in the title and the other elsewhere but not there, more often than by chance. Of the two each must keep the other's company (a
"sneaker" keeps that of shoes, but shoes at large do not keep the sneaker's: that is a broader name and no synonym), and units are also
swapped in both directions, and hardly ever stand within one phrase, as two facts about a product do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from kgbuild.language.counts import Ints
from kgbuild.language.synonyms_company import Said
from kgbuild.language.synonyms_cuts import Phrase

MentionRows = Ints
"""Three rows of numbers, one column for each distinct (product, 1 in the title and 0 elsewhere, phrase)."""

MIN_SWAPS: Final = 3
MIN_LIFT: Final = 3.0
MIN_DIRECTION: Final = 0.05
"""The rarer direction's share of the commoner one's, at least; one product must show it."""
HEADS: Final = (-0.25, 0.1)
UNITS: Final = (0.4, 0.4)
"""Similarity of company in the worse direction and in the better one, at least. Units of one head all keep some company in common."""
MAX_TOGETHER: Final = 0.2
"""Phrases with both units, for each product that shows the pair."""
ENOUGH: Final = 16
MIN_SHARE: Final = 0.5
"""Of the texts that say a head and whose title does not, so many must stand under a title with the other, where titles never say it;
fewer texts than `ENOUGH` count as that many."""
STEM: Final = 4
"""Names that begin with the same letters, so many, are likely of one stem, and one direction suffices: "stripe", "striped"."""
_MOST_SWAPS: Final = 100
"""A product with more pairs than this is a list of words, not a description."""


@dataclass(frozen=True)
class Swap:
    """Two names by the alphabet; `forth`: products whose title says the first and not the second, which other texts say."""

    first: str
    second: str
    forth: int
    back: int
    lift: float
    similarity: float


def used_alike(phrases: Sequence[Phrase], said: Mapping[str, Said], rows: MentionRows) -> Iterator[tuple[str, Swap]]:
    """(kind, pair) for the heads and the units that are used alike, in the order of kind and names.

    Args:
        phrases: distinct phrases.
        said: for the kinds "head" and "unit" the supports and company.
        rows: who says them where.
    """
    heads: dict[tuple[int, str], tuple[set[str], set[str]]] = {}
    units: dict[tuple[int, str], tuple[set[str], set[str]]] = {}
    for number, title, place in rows.T.tolist():
        head, some = phrases[place]
        heads.setdefault((number, ""), (set(), set()))[title].add(head)
        units.setdefault((number, head), (set(), set()))[title].update(some)
    together = Counter(pair for _, some in phrases for pair in combinations(some, 2))
    for kind, groups in (("head", heads), ("unit", units)):
        swaps = [one for one in _swaps(list(groups.values())) if _swapped_enough(kind, *one, together)]
        there = said[kind].similarity([(one, other) for one, other, *_ in swaps])[1]
        back_again = said[kind].similarity([(other, one) for one, other, *_ in swaps])[1]
        worse, better = HEADS if kind == "head" else UNITS
        for (one, other, forth, back, lift, _), a, b in zip(swaps, there.tolist(), back_again.tolist(), strict=True):
            stem = min(a, b) >= 0 and one[:STEM] == other[:STEM]
            if stem or (min(a, b) >= worse and max(a, b) >= better):
                yield kind, Swap(one, other, forth, back, lift, min(a, b))


def _swapped_enough(
    kind: str,
    one: str,
    other: str,
    forth: int,
    back: int,
    _: float,
    share: float,
    together: Mapping[tuple[str, str], int],
) -> bool:
    """What can be asked of a pair before its company is looked at."""
    if kind == "head":
        return min(forth, back) >= 1 or share >= MIN_SHARE
    both = min(forth, back) >= max(1.0, MIN_DIRECTION * max(forth, back)) or one[:STEM] == other[:STEM]
    return both and one.count(" ") == other.count(" ") and together[one, other] <= MAX_TOGETHER * (forth + back)


def _swaps(groups: Sequence[tuple[set[str], set[str]]]) -> list[tuple[str, str, int, int, float, float]]:
    """Pairs that stand for one another often enough.

    (name, name, times one way, the other way, times more than by chance, share of the texts that say the one under titles of the other)
    """
    titles: Counter[str] = Counter()
    elsewhere: Counter[str] = Counter()
    swaps: Counter[tuple[str, str]] = Counter()
    n_groups = 0
    for text, title in groups:
        if not text or not title:
            continue
        n_groups += 1
        rest = text - title
        titles.update(title)
        elsewhere.update(rest)
        if len(title) * len(rest) <= _MOST_SWAPS:
            swaps.update((one, other) for one in title for other in rest)
    found = []
    for one, other in sorted({(min(pair), max(pair)) for pair in swaps}):
        forth, back = swaps[one, other], swaps[other, one]
        chance = (titles[one] * elsewhere[other] + titles[other] * elsewhere[one]) / n_groups
        if forth + back >= MIN_SWAPS and forth + back >= MIN_LIFT * chance:
            # A name that titles avoid ("tee") still shows itself: most texts that say it stand under one title.
            share = max(forth / max(elsewhere[other], ENOUGH), back / max(elsewhere[one], ENOUGH))
            found.append((one, other, forth, back, (forth + back) / chance, share))
    return found
