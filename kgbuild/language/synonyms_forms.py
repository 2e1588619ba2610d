"""A thing's name and the participle made of it, said before one head: "zip pocket" and "zipped pocket", "check" and "checked shirt".

As a modifier the participle says "with X" and the bare noun says it too, so of one head both are one, whatever longer unit they stand in
("front zip", "front zipped"). Elsewhere they are two: a zip is a thing, and "zipped" names none. Letters alone are no proof ("line",
"lined"), so of the heads of either word enough must have both, and hardly any phrase may say both. Each head goes by the form that
most of its products say.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Final, TypeVar

from kgbuild.language.canonical import singular
from kgbuild.language.synonyms_cuts import Phrase, said_once
from kgbuild.language.synonyms_decisions import Decision
from kgbuild.naming import ByHand, cut_name

BARS: Final = ((3, 6, 0.2), (3, 20, 0.15), (1, 5, 0.5))
"""Heads that have both forms; what the rarer form has in products, summed over all names that both make; its share of the products of the
rarer word: what is asked at least, and any bar suffices. Read off val and train (bench/RESULTS.md)."""
FAR_BETTER: Final = 10
"""A noun that has so many times less of this than another noun of the same participle is none of its: "strip", "stripe", "striped"."""
MAX_TOGETHER: Final = 0.25
"""Products of phrases that say both forms, for each of these products, at most."""
WORTH_A_LOOK: Final = 3
"""A pair with less evidence than is asked, but so many products, is proposed."""
HEAD_ENDINGS: Final = ("ing", "line", "er", "ery", "ie", "let", "y")
"""What a second name of a thing may end in besides: "detailing", "neckline", "zipper", "bootie"."""
HEADS_ALIKE: Final = (3, 5, 0.2)
"""For two such heads: units in common; what the rarer says with them, in products; the share of all that it says with units."""

_SHORTEST_BY_HAND: Final = 4  # letters of a participle that a person names: "tied"
_NO_ADVERBS: Final = frozenset({"belly", "butterfly", "family", "fly", "jelly", "lily", "poly"})

Key = TypeVar("Key")


@dataclass(frozen=True)
class Forms:
    """What words are called where they modify a head: (head, word) -> word."""

    words: Mapping[tuple[str, str], str]
    left: frozenset[tuple[str, str]] = frozenset()
    """(head, unit) that a person keeps apart from another that would be the same."""

    def apply(self, phrase: Phrase) -> Phrase:
        """The phrase with its head's forms."""
        head, units = phrase
        return head, said_once(head, [self.unit(head, unit) for unit in units])

    def unit(self, head: str, unit: str) -> str:
        """A unit in the head's forms; but a "heavily meshed" upper stays one, since no adverb goes with a noun."""
        if (head, unit) in self.left:
            return unit
        words = unit.split()
        after_adverb = [False, *(word.endswith("ly") and word not in _NO_ADVERBS for word in words[:-1])]
        return " ".join(
            word if adverb and word.endswith("ed") else self.words.get((head, word), word)
            for word, adverb in zip(words, after_adverb, strict=True)
        )


def nouns_of(participle: str, *, shortest: int = 5) -> Iterator[str]:
    """What a participle may be made of: "striped" -> "strip", "stripe"; "zippered" -> "zipper", "zip"; no words, only letters."""
    if not participle.endswith("ed") or len(participle) < shortest:
        return
    stem = participle[:-2]
    yield from dict.fromkeys((stem, stem + "e", _undoubled(stem)))
    if stem.endswith("i"):
        yield stem[:-1] + "y"
    if stem.endswith("er") and len(stem) > 4:
        yield from (stem[:-2], _undoubled(stem[:-2]))


def find_forms(
    phrases: Sequence[Phrase], products: Sequence[Collection[int]], by_hand: ByHand
) -> tuple[Forms, list[Decision]]:
    """Which forms are one, and the report.

    Args:
        phrases: distinct phrases.
        products: for each, the products that say it.
        by_hand: pairs to be kept apart, as words, or for one head as the report writes cuts ("earring: stud", "earring: studded");
            groups of forms from `names_and_forms`, which are one without further evidence.
    """
    words = {word for _, units in phrases for unit in units for word in unit.split()}
    pairs = sorted({*_pairs(words), *_pairs_by_hand(by_hand, words)})
    said = _Said.of(phrases, products, {word for pair in pairs for word in pair})
    groups = _Groups(by_hand)
    decisions = []
    evidences = {pair: said.evidence(pair) for pair in pairs}
    most = Counter[str]()
    for (_, participle), evidence in evidences.items():
        most[participle] = max(most[participle], evidence.both)
    by_person = {pair: frozenset(pair) in groups.one for pair in pairs}
    for pair, evidence in sorted(evidences.items(), key=lambda one: (not by_person[one[0]], -one[1].both, one[0])):
        if FAR_BETTER * evidence.both <= most[pair[1]] and not by_person[pair]:
            continue
        rare, common = sorted(pair, key=lambda word: (said.support[word], word))
        verdict, rule = groups.decide(frozenset(pair), evidence, said.support[rare])
        if not verdict:
            continue
        names = ", ".join(f"{name!r} ({n} and {m})" for name, n, m in evidence.names(rare))
        text = (
            f"{evidence.heads} heads have both; {evidence.both} products, {evidence.together} say both at once: {names}"
        )
        supports = (said.support[rare], said.support[common])
        share = round(min(1.0, evidence.both / max(supports[0], 1)), 3)
        decisions.append(Decision("form", rare, common, rule, *supports, share, verdict, text))
    forms = Forms(dict(_chosen(said.words, groups.of, by_hand.keep_apart)))
    return replace(forms, left=_left(forms, phrases, by_hand.keep_apart)), decisions


def heads_alike(
    phrases: Sequence[Phrase], products: Sequence[Collection[int]], apart: Collection[frozenset[str]]
) -> list[Decision]:
    """Proposals: heads of one stem that the same units modify ("detail" and "detailing").

    Never merged by themselves, for a waist is no waistband. Arguments as for `synonyms_cuts.find_cuts`.
    """
    heads: dict[str, set[int]] = defaultdict(set)
    for (head, _), sayers in zip(phrases, products, strict=True):
        heads[head].update(sayers)
    longer = ((head, head[: -len(ending)]) for head in heads for ending in HEAD_ENDINGS if head.endswith(ending))
    stems = ((head, stem) for head, rest in longer for stem in {rest, rest + "e", _undoubled(rest)})
    pairs = sorted((stem, head) for head, stem in stems if stem in heads)
    units: dict[str, dict[str, set[int]]] = {head: defaultdict(set) for pair in pairs for head in pair}
    for (head, some), sayers in zip(phrases, products, strict=True):
        for unit in some if head in units else ():
            units[head][unit].update(sayers)
    decisions = []
    for pair in pairs:
        rare, common = sorted(pair, key=lambda head: (len(heads[head]), head))
        made = [
            (min(len(said), len(units[common][unit])), unit)
            for unit, said in units[rare].items()
            if unit in units[common]
        ]
        both, total = sum(n for n, _ in made), sum(map(len, units[rare].values()))
        n_units, least, share = HEADS_ALIKE
        if len(made) < n_units or both < max(least, share * total):
            continue
        best = [unit for _, unit in sorted(made, key=lambda one: (-one[0], one[1]))[:3]]
        names = ", ".join(f"{unit!r} ({len(units[rare][unit])} and {len(units[common][unit])})" for unit in best)
        text = f"the same {len(made)} units modify both, in {both} products of the {total} where one modifies {rare!r}: {names}"
        verdict = "kept_apart" if frozenset(pair) in apart else "proposed"
        supports = (len(heads[rare]), len(heads[common]))
        decisions.append(Decision("head", rare, common, "stem", *supports, round(both / total, 3), verdict, text))
    return decisions


def _undoubled(stem: str) -> str:
    """The stem without its doubled last letter: "hemm" -> "hem"."""
    return stem[:-1] if len(stem) > 2 and stem[-1] == stem[-2] else stem


def names_and_forms(by_hand: ByHand) -> tuple[ByHand, tuple[tuple[str, ...], ...]]:
    """A person's decisions on names, and the groups among them that are forms of one noun: these hold for modifiers alone.

    Of ["zip", "zipper", "zipped"] the first two are one name, and the last is a form of the first.
    """
    of_names, of_forms = [], []
    for group in by_hand.merge:
        single = {singular(name) for name in group if " " not in name}
        nouns = {name: set(nouns_of(name, shortest=_SHORTEST_BY_HAND)) for name in single}
        common = Counter(noun for some in nouns.values() for noun in some)
        participles = {name for name, some in nouns.items() if any(noun in single or common[noun] > 1 for noun in some)}
        made_of = single.intersection(noun for name in participles for noun in nouns[name])
        if participles:
            of_forms.append(tuple(sorted(participles | made_of)))
        rest = tuple(dict.fromkeys(name for name in group if singular(name) not in participles))
        if len(rest) > 1 and (not participles or len({singular(name) for name in rest}) > 1):
            of_names.append(rest)
    return replace(by_hand, merge=tuple(of_names)), tuple(of_forms)


def _pairs(words: Collection[str]) -> Iterator[tuple[str, str]]:
    """(noun, participle), of words that both are said."""
    return ((noun, word) for word in words for noun in nouns_of(word) if noun in words and noun != word)


def _pairs_by_hand(by_hand: ByHand, words: Collection[str]) -> Iterator[tuple[str, str]]:
    """Those that a person merges, the nouns first."""
    for group in by_hand.merge:
        for one, other in combinations(sorted(set(group).intersection(words)), 2):
            yield (other, one) if other in nouns_of(one) else (one, other)


def _left(forms: Forms, phrases: Sequence[Phrase], apart: Collection[frozenset[str]]) -> frozenset[tuple[str, str]]:
    """The units that a person keeps apart, as units of any head or of one ("jacket: full zip"), and that forms would make one."""
    pairs = [tuple(sorted(pair)) for pair in apart if any(" " in name for name in pair)]
    if not pairs:
        return frozenset()
    named = {name for pair in pairs for name in pair}
    said = {
        (head, unit) for head, units in phrases for unit in units if unit in named or cut_name(head, [unit]) in named
    }
    left: set[tuple[str, str]] = set()
    for head in {head for head, _ in said}:
        for pair in pairs:
            units = [name.removeprefix(cut_name(head, [""])) for name in pair]
            if len({forms.unit(head, unit) for unit in units}) == 1:
                left.update((head, unit) for unit in units)
    return frozenset(left)


@dataclass(frozen=True)
class _Evidence:
    """For a pair of forms: heads with both, what the rarer names sum up to, phrases with both, and (head, unit, unit, n, n)."""

    heads: int
    both: int
    together: int
    made: tuple[tuple[str, str, str, int, int], ...]

    def names(self, rare: str) -> list[tuple[str, int, int]]:
        """The three commonest names that both forms make, in the rarer form first."""
        best = sorted(self.made, key=lambda one: (-min(one[3], one[4]), one[:3]))[:3]
        return [
            (f"{unit} {head}", n, m) if rare in unit.split() else (f"{other} {head}", m, n)
            for head, unit, other, n, m in best
        ]


@dataclass(frozen=True)
class _Said:
    """Who says the words in question: products of each (head, unit) that has one, of each (head, word), of each word.

    `together` has the products of phrases with two of the words.
    """

    units: Mapping[tuple[str, str], int]
    words: Mapping[tuple[str, str], int]
    support: Mapping[str, int]
    together: Mapping[frozenset[str], int]
    units_of: Mapping[str, Sequence[tuple[str, str]]]

    @classmethod
    def of(cls, phrases: Sequence[Phrase], products: Sequence[Collection[int]], asked: Collection[str]) -> _Said:
        sets: dict[tuple[str, str], set[int]] = defaultdict(set)
        together: dict[frozenset[str], set[int]] = defaultdict(set)
        for (head, units), sayers in zip(phrases, products, strict=True):
            inside = {unit: words for unit in units if (words := [word for word in unit.split() if word in asked])}
            for unit in inside:
                sets[head, unit].update(sayers)
            for pair in combinations(sorted({word for words in inside.values() for word in words}), 2):
                together[frozenset(pair)].update(sayers)
        of_words: dict[tuple[str, str], set[int]] = defaultdict(set)
        everywhere: dict[str, set[int]] = defaultdict(set)
        units_of: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for (head, unit), sayers in sets.items():
            for word in {word for word in unit.split() if word in asked}:
                of_words[head, word] |= sayers
                everywhere[word] |= sayers
                units_of[word].append((head, unit))
        return cls(_sizes(sets), _sizes(of_words), _sizes(everywhere), _sizes(together), units_of)

    def evidence(self, pair: tuple[str, str]) -> _Evidence:
        """What speaks for two forms."""
        one, other = pair
        made = []
        for head, unit in self.units_of[one]:
            swapped = " ".join(other if word == one else word for word in unit.split())
            if (head, swapped) in self.units:
                made.append((head, unit, swapped, self.units[head, unit], self.units[head, swapped]))
        both = sum(min(n, m) for *_, n, m in made)
        return _Evidence(len({head for head, *_ in made}), both, self.together.get(frozenset(pair), 0), tuple(made))


class _Groups:
    """Words that are forms of one another, joined pair by pair, but never two that are to be kept apart."""

    def __init__(self, by_hand: ByHand) -> None:
        self.of: dict[str, frozenset[str]] = {}
        self._apart = by_hand.keep_apart
        self.one = {frozenset(pair) for group in by_hand.merge for pair in combinations(group, 2)}

    def decide(self, pair: frozenset[str], evidence: _Evidence, support: int) -> tuple[str, str]:
        """(decision, rule) on a pair; no decision is an empty one."""
        both = evidence.both
        if pair in self.one:
            verdict, rule = "by_hand", "by hand"
        else:
            rule = "participle"
            enough = any(evidence.heads >= heads and both >= max(n, share * support) for heads, n, share in BARS)
            clear = enough and evidence.together <= MAX_TOGETHER * both
            verdict = "merged" if clear else "proposed" if both >= WORTH_A_LOOK else ""
        if not verdict or verdict == "proposed":
            return ("kept_apart" if verdict and pair in self._apart else verdict), rule
        joined = frozenset().union(*(self.of.get(word, frozenset({word})) for word in pair))
        if any(frozenset(two) in self._apart for two in combinations(joined, 2)):
            return "kept_apart", rule
        self.of.update(dict.fromkeys(joined, joined))
        return verdict, rule


def _chosen(
    said: Mapping[tuple[str, str], int], groups: Mapping[str, frozenset[str]], apart: Collection[frozenset[str]]
) -> Iterator[tuple[tuple[str, str], str]]:
    """(head, word) and the form of its group that most products of the head say; ties by the alphabet."""
    there: dict[tuple[str, frozenset[str]], list[str]] = defaultdict(list)
    for head, word in sorted(said):
        if word in groups:
            there[head, groups[word]].append(word)
    for (head, _), words in there.items():
        best, *others = sorted(words, key=lambda word: (-said[head, word], word))
        joined = [best]
        for word in others:
            if not any(_kept_apart(head, word, one, apart) for one in joined):
                joined.append(word)
                yield (head, word), best


def _kept_apart(head: str, one: str, other: str, apart: Collection[frozenset[str]]) -> bool:
    """Whether a person keeps two words of one head apart, as "neck: zip" or as "zip neck"."""
    return (
        frozenset({cut_name(head, [one]), cut_name(head, [other])}) in apart
        or frozenset({f"{one} {head}", f"{other} {head}"}) in apart
    )


def _sizes(sets: Mapping[Key, Collection[int]]) -> dict[Key, int]:
    return {key: len(some) for key, some in sets.items()}
