"""concepts -> is_a_edges: the transitively reduced is-a hierarchy, built at once or extended by new concepts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import prod

import pyarrow as pa
import pyarrow.compute as pc

from kgbuild.errors import ConfigError, TableError
from kgbuild.hierarchy.covers import DROP, GENERALISE, Head, Modifiers
from kgbuild.subsumption import generalises_unit
from kgbuild.tables import in_order

RULES = (DROP, GENERALISE)
"""The rules known here, in the order in which they are tried."""

Pairs = Iterable[tuple[str, str]]


@dataclass(frozen=True)
class _Concepts:
    """The columns of a concepts table that matter here."""

    ids: list[str]
    heads: list[str]
    modifiers: list[Modifiers]
    n_products: list[int]

    @classmethod
    def of(cls, table: pa.Table) -> _Concepts:
        units = pc.list_flatten(table["modifiers"]).to_pylist()
        ends = pc.cumulative_sum(pc.list_value_length(table["modifiers"])).to_pylist()
        modifiers = [frozenset(units[start:stop]) for start, stop in pairwise([0, *ends])]
        names = ("concept_id", "head_noun", "n_products")
        ids, heads, n_products = (table[name].to_pylist() for name in names)
        return cls(ids, heads, modifiers, n_products)

    def by_head(self, only: Collection[str] | None = None) -> dict[str, dict[Modifiers, str]]:
        """Head noun -> modifiers -> id; with `only`, just the heads of these ids."""
        wanted = {head for one, head in zip(self.ids, self.heads, strict=True) if only is None or one in only}
        groups: dict[str, dict[Modifiers, str]] = defaultdict(dict)
        for one, head, modifiers in zip(self.ids, self.heads, self.modifiers, strict=True):
            if head in wanted and groups[head].setdefault(modifiers, one) != one:
                earlier = groups[head][modifiers]
                raise TableError(f"concepts {earlier} and {one} are the same: {head} with {sorted(modifiers)}")
        return groups


def build_hierarchy(concepts: pa.Table, *, rules: Collection[str] = RULES) -> pa.Table:
    """Every concept's nearest broader concepts among `concepts`: table is_a_edges, transitively reduced.

    Rules: `drop_modifier` leaves units out (confidence 1.0: a white shirt is a shirt); `generalise_modifier` puts a broader unit in
    the place of one ("navy blue shirt" is-a "blue shirt"), perhaps beside dropping others. The confidence of the latter is how
    regularly the broader unit is said where the narrower one is: (heads with both + 1) / (heads with the narrower + 2), over the
    units of all concepts; with several generalised units their product. Support is n_products of the hyponym.

    Raises:
        ConfigError: a rule is unknown.
        TableError: two rows of `concepts` are the same concept.
    """
    _check(rules)
    known = _Concepts.of(concepts)
    heads = (Head(members, rules) for members in known.by_head().values())
    return _annotate((pair for head in heads for pair in _pairs(head, head.members)), known)


def expand_hierarchy(
    edges: pa.Table, concepts: pa.Table, added_ids: Collection[str], *, rules: Collection[str] = RULES
) -> pa.Table:
    """Insert new concepts into a hierarchy: the same table as `build_hierarchy(concepts)`, for the price of what changed.

    Args:
        edges: `build_hierarchy` of the concepts before, with the same rules.
        concepts: all concepts now. Those of `edges` that are absent here are taken out and the gap is closed.
        added_ids: the ids in `concepts` that were not there before.
        rules: as for `build_hierarchy`.

    Raises:
        ConfigError, TableError: as `build_hierarchy`; also when an added id is not in `concepts`.
    """
    _check(rules)
    known = _Concepts.of(concepts)
    here, added = set(known.ids), set(added_ids)
    if unknown := sorted(added - here):
        raise TableError(f"{len(unknown)} added concepts are not in the table of concepts, for example {unknown[0]}")
    old = list(zip(edges["hyponym_id"].to_pylist(), edges["hypernym_id"].to_pylist(), strict=True))
    moved = added | {hyponym for hyponym, hypernym in old if hyponym in here and hypernym not in here}
    covers: dict[str, list[str]] = defaultdict(list)
    for low, high in old:
        covers[low].append(high)
    pairs: list[tuple[str, str]] = []
    for members in known.by_head(only=moved).values():
        head = Head(members, rules)
        for inserted in [modifiers for modifiers, one in members.items() if one in added]:
            below = {members[modifiers] for modifiers in head.below(inserted)}
            moved.update(one for one in below if below.isdisjoint(covers[one]))  # else an old cover stands between
        pairs += _pairs(head, [modifiers for modifiers, one in members.items() if one in moved])
    pairs += [(low, high) for low, high in old if low in here and high in here and low not in moved]
    return _annotate(pairs, known)


def _check(rules: Collection[str]) -> None:
    if unknown := [rule for rule in rules if rule not in RULES]:
        raise ConfigError(f"hierarchy.rules cannot hold {unknown[0]!r}", f"it may hold: {', '.join(RULES)}")


def _pairs(head: Head, some: Iterable[Modifiers]) -> Iterator[tuple[str, str]]:
    """(hyponym, hypernym) for each of `some` concepts of a head and each of its covers."""
    return ((head.members[one], head.members[cover]) for one in some for cover in head.covers(one))


def _annotate(pairs: Pairs, known: _Concepts) -> pa.Table:
    """The is_a_edges table of (hyponym, hypernym) pairs."""
    number = {one: place for place, one in enumerate(known.ids)}
    heads_of = _heads_of_units(known)
    low, high, rule, support, confidence = [], [], [], [], []
    for hyponym, hypernym in pairs:
        narrow, broad = known.modifiers[number[hyponym]], known.modifiers[number[hypernym]]
        low.append(hyponym)
        high.append(hypernym)
        rule.append(DROP if broad <= narrow else GENERALISE)
        support.append(known.n_products[number[hyponym]])
        confidence.append(1.0 if broad <= narrow else _confidence(narrow - broad, broad - narrow, heads_of))
    names = ["hyponym_id", "hypernym_id", "rule", "support", "confidence"]
    types = [pa.string(), pa.string(), pa.string(), pa.int64(), pa.float32()]
    columns = zip((low, high, rule, support, confidence), types, strict=True)
    return in_order(pa.table([pa.array(values, kind) for values, kind in columns], names), "is_a_edges")


def _heads_of_units(known: _Concepts) -> dict[str, set[str]]:
    heads_of: dict[str, set[str]] = defaultdict(set)
    for head, modifiers in zip(known.heads, known.modifiers, strict=True):
        for unit in modifiers:
            heads_of[unit].add(head)
    return heads_of


def _confidence(narrow: Modifiers, broad: Modifiers, heads_of: Mapping[str, set[str]]) -> float:
    def of_units(one: str, general: str) -> float:
        return (len(heads_of[one] & heads_of[general]) + 1) / (len(heads_of[one]) + 2)

    return prod(
        max(of_units(one, general) for one in sorted(narrow) if generalises_unit(general, one))
        for general in sorted(broad)
    )
