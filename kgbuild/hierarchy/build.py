"""concepts -> is_a_edges: the transitively reduced is-a hierarchy, built at once or extended by new concepts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from math import prod

import pyarrow as pa

from kgbuild.errors import ConfigError, TableError
from kgbuild.hierarchy.covers import DROP, GENERALISE, Head, Modifiers
from kgbuild.subsumption import generalises_unit
from kgbuild.tables import in_order

RULES = (DROP, GENERALISE)
"""The rules known here, in the order in which they are tried."""

Pairs = Iterable[tuple[str, str]]


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
    by_id = _modifiers_by_id(concepts)
    pairs = [pair for members in _by_head(concepts).values() for pair in _pairs(Head(members, rules), members)]
    return _annotate(pairs, concepts, by_id)


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
    by_id = _modifiers_by_id(concepts)
    if unknown := sorted(set(added_ids) - by_id.keys()):
        raise TableError(f"{len(unknown)} added concepts are not in the table of concepts, for example {unknown[0]}")
    old = list(zip(edges["hyponym_id"].to_pylist(), edges["hypernym_id"].to_pylist(), strict=True))
    bereft = {hyponym for hyponym, hypernym in old if hypernym not in by_id and hyponym in by_id}
    groups = _by_head(concepts, only=set(added_ids) | bereft)
    changed: set[str] = set()
    pairs: list[tuple[str, str]] = []
    for members in groups.values():
        head = Head(members, rules)
        seeds = [modifiers for modifiers, one in members.items() if one in added_ids]
        moved = {members[modifiers] for seed in seeds for modifiers in head.below(seed)}
        moved |= {one for one in members.values() if one in bereft or one in added_ids}
        changed |= moved
        pairs += _pairs(head, {modifiers: one for modifiers, one in members.items() if one in moved})
    pairs += [(hypo, hyper) for hypo, hyper in old if hypo in by_id and hyper in by_id and hypo not in changed]
    return _annotate(pairs, concepts, by_id)


def _check(rules: Collection[str]) -> None:
    if unknown := [rule for rule in rules if rule not in RULES]:
        raise ConfigError(f"hierarchy.rules cannot hold {unknown[0]!r}", f"it may hold: {', '.join(RULES)}")


def _modifiers_by_id(concepts: pa.Table) -> dict[str, Modifiers]:
    sets = map(frozenset, concepts["modifiers"].to_pylist())
    return dict(zip(concepts["concept_id"].to_pylist(), sets, strict=True))


def _by_head(concepts: pa.Table, only: Collection[str] | None = None) -> dict[str, dict[Modifiers, str]]:
    """Head noun -> modifiers -> id; with `only`, just the heads of these ids."""
    ids, heads = concepts["concept_id"].to_pylist(), concepts["head_noun"].to_pylist()
    wanted = set(heads) if only is None else {head for one, head in zip(ids, heads, strict=True) if one in only}
    groups: dict[str, dict[Modifiers, str]] = defaultdict(dict)
    for one, head, modifiers in zip(ids, heads, concepts["modifiers"].to_pylist(), strict=True):
        if head not in wanted:
            continue
        earlier = groups[head].setdefault(frozenset(modifiers), one)
        if earlier != one:
            raise TableError(f"concepts {earlier} and {one} are the same: {head} with {sorted(modifiers)}")
    return groups


def _pairs(head: Head, members: Mapping[Modifiers, str]) -> Pairs:
    return [(one, head.members[cover]) for modifiers, one in members.items() for cover in head.covers(modifiers)]


def _annotate(pairs: Pairs, concepts: pa.Table, by_id: Mapping[str, Modifiers]) -> pa.Table:
    """The is_a_edges table of (hyponym, hypernym) pairs."""
    heads_of = _heads_of_units(concepts)
    support = dict(zip(concepts["concept_id"].to_pylist(), concepts["n_products"].to_pylist(), strict=True))
    rows = []
    for hyponym, hypernym in pairs:
        narrow, broad = by_id[hyponym] - by_id[hypernym], by_id[hypernym] - by_id[hyponym]
        confidence = prod(max(_confidence(n, b, heads_of) for n in narrow if generalises_unit(b, n)) for b in broad)
        rows.append((hyponym, hypernym, GENERALISE if broad else DROP, support[hyponym], float(confidence)))
    columns = list(zip(*rows, strict=True)) if rows else [()] * 5
    names = ["hyponym_id", "hypernym_id", "rule", "support", "confidence"]
    types = [pa.string(), pa.string(), pa.string(), pa.int64(), pa.float32()]
    return in_order(pa.table([pa.array(c, t) for c, t in zip(columns, types, strict=True)], names), "is_a_edges")


def _heads_of_units(concepts: pa.Table) -> dict[str, set[str]]:
    heads_of: dict[str, set[str]] = defaultdict(set)
    for head, modifiers in zip(concepts["head_noun"].to_pylist(), concepts["modifiers"].to_pylist(), strict=True):
        for unit in modifiers:
            heads_of[unit].add(head)
    return heads_of


def _confidence(narrow: str, broad: str, heads_of: Mapping[str, set[str]]) -> float:
    return (len(heads_of[narrow] & heads_of[broad]) + 1) / (len(heads_of[narrow]) + 2)
