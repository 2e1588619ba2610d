"""The same words cut into units in two ways: {"stainless", "steel"} and {"stainless steel"} of one head.

Two cuts of the same words are the same thing where the words before the last hardly occur without it: a "stainless" buckle is always
a steel one, and then all are cut as most products have it. Where they do ("white" shirts with and without "stripe"), the two cuts
are two readings, and both stay.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from kgbuild.language.synonyms_decisions import Decision
from kgbuild.naming import ByHand, cut_name
from kgbuild.subsumption import BINDING

Phrase = tuple[str, tuple[str, ...]]
"""Head and units, these in the order of the alphabet."""
Bag = tuple[str, ...]
"""The words of one unit or of several, sorted."""
Parts = tuple[str, ...]
"""Units, in the order of the alphabet."""

TOGETHER: Final = 0.5
"""Of the products whose head has the first part, so many must have the others, for two cuts to be the same thing."""

ORDER_SHARE: Final = 1 / 3
"""One order of the same words is a slip for another one when it has at most this share of the other's products."""

_MOST_WORDS: Final = 4
_MOST_UNITS: Final = 10


@dataclass(frozen=True)
class Cut:
    """One decision: the words `bag` of `head` are cut as `chosen` and not as `other`; supports in products."""

    head: str
    bag: Bag
    chosen: Parts
    other: Parts
    chosen_support: int
    other_support: int

    def name(self, parts: Parts) -> str:
        """How the report writes a cut: "buckle: stainless + steel"."""
        return cut_name(self.head, parts)

    def decision(self) -> Decision:
        """Its row of the report."""
        evidence = f"the words of one unit of {self.head!r} stand together either way; as most products"
        supports = (self.other_support, self.chosen_support)
        return Decision("cut", self.name(self.other), self.name(self.chosen), "cut", *supports, 1.0, "merged", evidence)


def said_once(head: str, units: Sequence[str]) -> tuple[str, ...]:
    """Units in which no word stands twice, nor a word of the head; sorted, each once.

    Of a repeated word the last stays, since the last word of a unit names the thing; binding words ("hook and eye") may repeat.
    """
    taken = set(head.split())
    cleaned = set()
    for unit in units:
        words = unit.split()
        kept = [
            word
            for place, word in enumerate(words)
            if word in BINDING or (word not in taken and word not in words[place + 1 :])
        ]
        if any(word not in BINDING for word in kept):
            cleaned.add(" ".join(kept))
    return tuple(sorted(cleaned))


def find_cuts(
    phrases: Sequence[Phrase], products: Sequence[Collection[int]], apart: Collection[frozenset[str]]
) -> list[Cut]:
    """Which bags of words are cut in two ways that mean the same, and which way most products have; in the order of head and bag.

    Args:
        phrases: distinct phrases.
        products: for each, the products that say it.
        apart: pairs of cuts, as the report writes them, that somebody wants left as they are.
    """
    said = _ways(phrases, products)
    alone: dict[tuple[str, str], set[int]] = defaultdict(set)
    for (head, units), sayers in zip(phrases, products, strict=True):
        for unit in units:
            alone[head, unit].update(sayers)
    cuts = []
    for (head, bag), ways in sorted(said.items()):
        chosen, *others = sorted(ways, key=lambda parts: (-len(ways[parts]), len(parts), parts))
        last = next(parts[0] for parts in (chosen, *others) if len(parts) == 1).split()[-1]
        for other in others:
            cut = Cut(head, bag, chosen, other, len(ways[chosen]), len(ways[other]))
            split = other if len(other) > 1 else chosen
            if len(split) > 1:
                same = len(ways[split]) >= TOGETHER * min(len(alone[head, part]) for part in _before_last(split, last))
            else:
                same = cut.other_support <= ORDER_SHARE * cut.chosen_support
            if same and frozenset({cut.name(chosen), cut.name(other)}) not in apart:
                cuts.append(cut)
    return cuts


def _ways(
    phrases: Sequence[Phrase], products: Sequence[Collection[int]]
) -> dict[tuple[str, Bag], dict[Parts, set[int]]]:
    """For each head and bag of words that is one unit somewhere: the ways in which it is cut, and the products of each."""
    whole = {(head, _bag([unit])) for head, units in phrases for unit in units if " " in unit}
    said: dict[tuple[str, Bag], dict[Parts, set[int]]] = defaultdict(lambda: defaultdict(set))
    for (head, units), sayers in zip(phrases, products, strict=True):
        for parts in _some(units):
            if (head, _bag(parts)) in whole:
                said[head, _bag(parts)][parts].update(sayers)
    return said


class Cutting:
    """Cuts phrases as was decided. Applied to its own result it changes nothing."""

    def __init__(self, cuts: Sequence[Cut]) -> None:
        self._chosen = {(cut.head, cut.other): cut.chosen for cut in cuts}
        self._bags = {(cut.head, cut.bag): cut for cut in cuts}

    def apply(self, phrase: Phrase) -> Phrase:
        """The phrase under the chosen cuts."""
        head, units = phrase
        seen = [units]
        while (units := self._once(head, units)) not in seen:
            seen.append(units)
        # No change; or a circle, and then its least form, which is the same wherever one enters it.
        return head, min(seen[seen.index(units) :])

    def _once(self, head: str, units: tuple[str, ...]) -> tuple[str, ...]:
        found = [parts for parts in _some(units) if (head, parts) in self._chosen]
        if not found:
            return units
        first = min(found, key=lambda parts: (-self._bags[head, _bag(parts)].chosen_support, parts))
        rest = set(units).difference(first)
        return tuple(sorted(rest.union(self._chosen[head, first])))


@dataclass(frozen=True)
class HeadCut:
    """A head that is also said as another head with a unit: "polo neck", and neck with "polo"."""

    name: str
    unit: str
    head: str
    whole_support: int
    parts_support: int
    by_hand: bool = False

    @property
    def whole(self) -> bool:
        """Whether the one name wins."""
        return self.whole_support >= self.parts_support

    @property
    def parts(self) -> str:
        """How the report writes the other head with the unit."""
        return cut_name(self.head, [self.unit])

    def decision(self) -> Decision:
        """Its row of the report."""
        forms = (self.parts, self.name) if self.whole else (self.name, self.parts)
        supports = sorted((self.whole_support, self.parts_support))
        evidence = (
            "the file of synonyms says so" if self.by_hand else "one head, or a head and a unit: as most products"
        )
        rule, verdict = ("by hand", "by_hand") if self.by_hand else ("head cut", "merged")
        return Decision("cut", *forms, rule, supports[0], supports[1], 1.0, verdict, evidence)


def find_head_cuts(phrases: Sequence[Phrase], products: Sequence[Collection[int]], by_hand: ByHand) -> list[HeadCut]:
    """Heads of several words whose words are also cut into a unit and a head; and heads that a person says are such a pair.

    Args:
        phrases: distinct phrases.
        products: for each, the products that say it.
        by_hand: its merge groups may hold a head ("trainer") and a unit with a head ("sports shoe").
    """
    whole: dict[str, set[int]] = defaultdict(set)
    parts: dict[tuple[str, str], set[int]] = defaultdict(set)
    wanted = {name for group in by_hand.merge for name in group}
    for (head, _), sayers in zip(phrases, products, strict=True):
        whole[head].update(sayers)
    for (head, units), sayers in zip(phrases, products, strict=True):
        for unit in units:
            if f"{unit} {head}" in whole or f"{unit} {head}" in wanted:
                parts[unit, head].update(sayers)
    found = [
        HeadCut(f"{unit} {head}", unit, head, len(whole[f"{unit} {head}"]), len(said))
        for (unit, head), said in sorted(parts.items())
        if f"{unit} {head}" in whole
    ]
    for group in by_hand.merge:
        heads = [name for name in group if name in whole]
        for unit, head in sorted(parts):
            if f"{unit} {head}" in group and f"{unit} {head}" not in whole:
                supports = len(parts[unit, head])
                found += [HeadCut(name, unit, head, len(whole[name]), supports, by_hand=True) for name in heads]
    return [cut for cut in found if frozenset({cut.name, cut.parts}) not in by_hand.keep_apart]


class HeadCutting:
    """Cuts heads as was decided, until nothing changes."""

    def __init__(self, cuts: Sequence[HeadCut]) -> None:
        self._split = {cut.name: cut for cut in cuts if not cut.whole}
        self._joined = {(cut.unit, cut.head): cut for cut in cuts if cut.whole}

    def apply(self, phrase: Phrase) -> Phrase:
        """The phrase under the chosen cuts, in which no word stands twice where that can be helped."""
        head, units = phrase
        for _ in range(_MOST_WORDS):
            longer = [self._joined[unit, head] for unit in units if (unit, head) in self._joined]
            if head in self._split:
                head, units = self._split[head].head, (*units, self._split[head].unit)
            elif longer:
                cut = min(longer, key=lambda one: (-one.whole_support, one.name))
                head, units = cut.name, tuple(unit for unit in units if unit != cut.unit)
            else:
                break
        return head, said_once(head, units)


def _bag(parts: Sequence[str]) -> Bag:
    return tuple(sorted(word for part in parts for word in part.split()))


def _some(units: Sequence[str]) -> Iterator[Parts]:
    """Each unit alone, and the sets of units that together are short enough to be one unit in another cut."""
    yield from ((unit,) for unit in units)
    for size in range(2, min(len(units), _MOST_WORDS) + 1):
        for some in combinations(units[:_MOST_UNITS], size):
            if sum(unit.count(" ") + 1 for unit in some) <= _MOST_WORDS:
                yield some


def _before_last(parts: Parts, last: str) -> list[str]:
    """The parts that do not hold the last word of the unit; all of them where none is left."""
    return [part for part in parts if last not in part.split()] or list(parts)
