"""What the hierarchy must be, by the definition alone: every pair compared, then networkx's transitive reduction."""

from __future__ import annotations

from collections.abc import Collection
from itertools import permutations
from math import prod

import networkx as nx
import numpy as np
import pyarrow as pa

from kgbuild.identity import concept_id
from kgbuild.subsumption import generalises_unit
from kgbuild.tables import TABLES, in_order

Concept = tuple[str, frozenset[str]]


def above(general: Concept, specific: Concept, rules: Collection[str]) -> bool:
    """Strictly broader: try every way to match the units of `general` with units of `specific`."""
    if general[0] != specific[0] or general == specific:
        return False
    if "drop_modifier" not in rules and len(general[1]) != len(specific[1]):
        return False
    generalise = "generalise_modifier" in rules
    wanted = list(general[1])
    return any(
        all(w == g or (generalise and generalises_unit(w, g)) for w, g in zip(wanted, given, strict=True))
        for given in permutations(specific[1], len(wanted))
    )


def reduced_pairs(concepts: Collection[Concept], rules: Collection[str]) -> set[tuple[str, str]]:
    graph = nx.DiGraph((low, high) for low in concepts for high in concepts if above(high, low, rules))
    return {(concept_id(*low), concept_id(*high)) for low, high in nx.transitive_reduction(graph).edges}


def reduced_edges(concepts: Collection[Concept], rules: Collection[str], n_products: int = 3) -> pa.Table:
    """Table is_a_edges of `concept_table(concepts, n_products)`."""
    by_id = {concept_id(*concept): concept for concept in concepts}
    rows = []
    for low, high in reduced_pairs(concepts, rules):
        narrow, broad = by_id[low][1], by_id[high][1]
        dropped = broad <= narrow
        rows.append(
            {
                "hyponym_id": low,
                "hypernym_id": high,
                "rule": "drop_modifier" if dropped else "generalise_modifier",
                "support": n_products + len(narrow),
                "confidence": np.float32(1 if dropped else confidence(narrow - broad, broad - narrow, concepts)),
            }
        )
    return in_order(pa.Table.from_pylist(rows, schema=TABLES["is_a_edges"].schema), "is_a_edges")


def confidence(narrow: frozenset[str], broad: frozenset[str], concepts: Collection[Concept]) -> float:
    def heads(unit: str) -> set[str]:
        return {head for head, modifiers in concepts if unit in modifiers}

    return prod(
        max(
            (len(heads(one) & heads(general)) + 1) / (len(heads(one)) + 2)
            for one in narrow
            if generalises_unit(general, one)
        )
        for general in sorted(broad)
    )


def concept_table(concepts: Collection[Concept], n_products: int = 3) -> pa.Table:
    rows = [
        {
            "concept_id": concept_id(head, modifiers),
            "label": " ".join([*sorted(modifiers), head]),
            "head_noun": head,
            "modifiers": sorted(modifiers),
            "n_mentions": n_products,
            "n_products": n_products + len(modifiers),
        }
        for head, modifiers in concepts
    ]
    return in_order(pa.Table.from_pylist(rows, schema=TABLES["concepts"].schema), "concepts")


def pairs(edges: pa.Table) -> set[tuple[str, str]]:
    return set(zip(edges["hyponym_id"].to_pylist(), edges["hypernym_id"].to_pylist(), strict=True))
