"""Decisions on words and names, each with what spoke for it: spellings of a word, names written together or apart, and a person's own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from kgbuild.language.synonyms_company import Said
from kgbuild.language.synonyms_names import Naming, attach
from kgbuild.language.synonyms_spelling import folded, passes, spelling_pairs
from kgbuild.naming import ByHand, cut_parts


@dataclass(frozen=True)
class Decision:
    """A row of table synonyms."""

    kind: str
    name: str
    canonical: str
    rule: str
    support: int
    canonical_support: int
    similarity: float
    decision: str
    evidence: str


def spellings(said: Said, by_hand: ByHand) -> tuple[dict[str, str], list[Decision]]:
    """Word -> canonical spelling for words whose letters and company agree; merged, kept apart and proposed pairs."""
    support = said.support
    pairs = [(*_rarer_first(one, other, support), rule) for one, other, rule in spelling_pairs(said.names)]
    nats, similarity = said.similarity([(rare, common) for rare, common, _ in pairs])
    likely: dict[str, list[Decision]] = {}
    others = []
    for (rare, common, rule), some_nats, alike in zip(pairs, nats.tolist(), similarity.tolist(), strict=True):
        supports = (support[rare], support[common])
        kept = frozenset({rare, common}) in by_hand.keep_apart
        row = Decision("word", rare, common, rule, *supports, alike, "merged", _fits(rule, rare, common, alike))
        if kept:
            others.append(replace(row, decision="kept_apart"))
        elif passes(rule, (rare, common), supports, some_nats, alike):
            likely.setdefault(rare, []).append(row)
        elif _worth_a_look(rule, supports, some_nats, alike):
            others.append(replace(row, decision="proposed"))
    for some in likely.values():
        some.sort(key=lambda row: (-row.similarity, row.canonical))
    wanted = {word: [row.canonical for row in some] for word, some in likely.items()}
    chosen = attach(said.names, wanted, support, by_hand.keep_apart)
    merged = []
    for word, canonical in sorted(chosen.items()):
        link = next(row for row in likely[word] if chosen.get(row.canonical, row.canonical) == canonical)
        by_way = "" if link.canonical == canonical else f", by way of {link.canonical!r}"
        merged.append(replace(
            link, canonical=canonical, canonical_support=support[canonical], evidence=link.evidence + by_way
        ))  # fmt: skip
    return chosen, merged + others


def joins(said: Said, words: Mapping[str, str], by_hand: ByHand) -> tuple[Naming, list[Decision]]:
    """How names are called: one form for names of the same letters, and for the groups that a person merged.

    Args:
        said: heads and units under the spellings of `words`.
        words: what `spellings` chose.
        by_hand: a person's decisions.
    """
    groups: dict[str, list[str]] = {}
    for name in said.names:
        groups.setdefault(folded(name), []).append(name)
    several = [_by_support(names, said.support) for names in groups.values() if len(names) > 1]
    pairs = [(name, names[0]) for names in several for name in names[1:]]
    found = zip(pairs, *(values.tolist() for values in said.similarity(pairs)), strict=True)
    company = {pair: (nats, alike) for pair, nats, alike in found}
    runs: dict[str, str] = {}
    naming = Naming(words, runs)
    decisions = []
    # The shortest first: what is decided of a part holds in the whole.
    for names in sorted(several, key=lambda some: (len(folded(some[0])), some)):
        canonical = naming.canonical(names[0])
        for name in names[1:]:
            form = naming.canonical(name)
            if form == canonical:
                continue
            nats, alike = company[name, names[0]]
            hyphen = name.replace("-", " ") == names[0].replace("-", " ")
            rule = "hyphen" if hyphen else "joined"
            kept = not by_hand.keep_apart.isdisjoint({frozenset({name, names[0]}), frozenset({form, canonical})})
            sure = hyphen or len(folded(name)) >= 8 or nats >= 0
            verdict = "kept_apart" if kept else "merged" if sure else "proposed"
            if verdict == "merged":
                runs[form] = canonical
            supports = (said.support[name], said.support.get(canonical, 0))
            row = Decision(
                "name", name, canonical, rule, *supports, alike, verdict, _fits(rule, name, canonical, alike)
            )
            decisions.append(row)
    decisions += _merge_by_hand(naming, runs, said, by_hand)
    one = [pair for pair in by_hand.keep_apart if len({naming.canonical(name) for name in pair}) == 1]
    left = frozenset(name for pair in one for name in pair)
    return Naming(words, runs, left), decisions


def settled(decisions: Iterable[Decision], naming: Naming) -> list[Decision]:
    """The decisions with every merged name's canonical form as it is in the end, so that the report has no chains."""
    return [
        replace(row, canonical=naming.canonical(row.canonical))
        if row.kind in ("word", "name") and row.decision in ("merged", "by_hand")
        else row
        for row in decisions
    ]


def unknown_names(by_hand: ByHand, known: Iterable[str]) -> list[Decision]:
    """A row for each name of the file that the catalogue never says."""
    heard = set(known)
    unheard = [name for name in by_hand.names() if name not in heard and not _all_heard(name, heard)]
    evidence = "the file of synonyms names it, but no product of the catalogue says it: look at its spelling"
    return [Decision("name", name, name, "by hand", 0, 0, 0.0, "unknown", evidence) for name in unheard]


def _all_heard(name: str, heard: set[str]) -> bool:
    """Whether a name is a cut of names that the catalogue says."""
    head, units = cut_parts(name)
    return heard.issuperset((head, *units))


def _merge_by_hand(naming: Naming, runs: dict[str, str], said: Said, by_hand: ByHand) -> list[Decision]:
    decisions = []
    for all_names in by_hand.merge:
        # A name of several words that is no head and no unit is a head with a unit: see `synonyms_cuts.find_head_cuts`.
        group = tuple(name for name in all_names if " " not in name or naming.canonical(name) in said.support)
        forms = _by_support({naming.canonical(name) for name in group}, said.support)
        if not forms:
            continue
        canonical = forms[0]
        runs.update((form, canonical) for form in forms[1:])
        runs.setdefault(canonical, canonical)  # a shorter name of the group may stand in it
        for name in group:
            if name != canonical and name in said.support:
                supports = (said.support[name], said.support.get(canonical, 0))
                row = Decision(
                    "name", name, canonical, "by hand", *supports, 1.0, "by_hand", "the file of synonyms says so"
                )
                decisions.append(row)
    return decisions


def _by_support(names: Iterable[str], support: Mapping[str, int]) -> list[str]:
    """The most frequent first, ties by the alphabet."""
    return sorted(names, key=lambda name: (-support.get(name, 0), name))


def _rarer_first(one: str, other: str, support: Mapping[str, int]) -> tuple[str, str]:
    common, rare = _by_support((one, other), support)
    return rare, common


def _fits(rule: str, name: str, other: str, similarity: float) -> str:
    return f"{rule}: {name!r} stands where {other!r} does, {max(similarity, 0.0):.2f} of 1"


def _worth_a_look(rule: str, supports: Sequence[int], nats: float, similarity: float) -> bool:
    """Whether a pair that is not certain is worth a person's time."""
    if rule == "inflection" and min(supports) < 3:
        return False
    return supports[1] >= 3 and nats >= 0.3 and similarity >= 0.3
