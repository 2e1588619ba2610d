"""The concepts that edges between heads bring along (categories, roots of domains), and these edges beside those of the modifiers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from functools import cache

import pyarrow as pa
import pyarrow.compute as pc

from kgbuild.hierarchy.dag import closure
from kgbuild.hierarchy.names import CATEGORY, Name
from kgbuild.hierarchy.reduction import transitive_reduction
from kgbuild.identity import concept_id
from kgbuild.subsumption import modifiers_subsume
from kgbuild.tables import in_order

_UNDER = pa.schema([("product_id", pa.string()), ("name_id", pa.string())])
_UP = pa.schema([("hyponym_id", pa.string()), ("hypernym_id", pa.string())])

LabelOf = Callable[[str, Collection[str]], str]


def add_head_concepts(
    concepts: pa.Table, links: pa.Table, head_edges: pa.Table, product_categories: pa.Table, *, label_of: LabelOf
) -> pa.Table:
    """Table concepts with every category and every hypernym of `head_edges`, counted with all that stands below.

    Args:
        concepts: the concepts that texts mention.
        links: table product_concepts of these.
        head_edges: table head_edges.
        product_categories: table product_categories.
        label_of: the label of a head noun with modifiers.

    Returns:
        `n_products` of a concept of `head_edges` takes in the products that mention anything below it, or whose category lies there;
        `n_mentions` stays the number of mentions of its own head, 0 if there is none.
    """
    names = _names(head_edges)
    new = _brought_along(head_edges) - set(concepts["concept_id"].to_pylist())
    n_products = _products_below(names, concepts, links, head_edges, product_categories)
    rows = concepts.to_pydict()
    place = {one: number for number, one in enumerate(rows["concept_id"])}
    for one, count in n_products.items():
        if one in place:
            rows["n_products"][place[one]] = max(count, rows["n_products"][place[one]])
    for one in sorted(new):
        head, modifiers = names[one]
        values = (one, label_of(head, modifiers), head, list(modifiers), 0, n_products.get(one, 0))
        for column, value in zip(concepts.column_names, values, strict=True):
            rows[column].append(value)
    return in_order(pa.table(rows, schema=concepts.schema), "concepts")


def attach_heads(edges: pa.Table, head_edges: pa.Table, concepts: pa.Table) -> pa.Table:
    """Table is_a_edges with the edges of `head_edges` between concepts that are there, transitively reduced.

    Where a rule of the modifiers draws the same edge, that one stays. A modified head in another sense than the bare one ("waist pouch", a
    bag, beside "pouch", a part) has no edge to what bears the head in the bare one's sense.
    """
    edges = _without_other_senses(edges, head_edges, concepts)
    ids = concepts["concept_id"].combine_chunks()
    ends = [pc.is_in(head_edges[name], value_set=ids) for name in ("hyponym_id", "hypernym_id")]
    between = head_edges.filter(pc.and_(*ends)).select(edges.column_names)
    said = set(zip(edges["hyponym_id"].to_pylist(), edges["hypernym_id"].to_pylist(), strict=True))
    pairs = zip(between["hyponym_id"].to_pylist(), between["hypernym_id"].to_pylist(), strict=True)
    further = between.filter(pa.array([pair not in said for pair in pairs], pa.bool_()))
    if not further.num_rows:
        return edges
    return in_order(transitive_reduction(pa.concat_tables([edges, further.cast(edges.schema)])), "is_a_edges")


def _without_other_senses(edges: pa.Table, head_edges: pa.Table, concepts: pa.Table) -> pa.Table:
    there = pc.is_in(head_edges["hyponym_id"], value_set=concepts["concept_id"].combine_chunks())
    split = other_senses(head_edges, frozenset(head_edges["hyponym_id"].filter(there).to_pylist()))
    if not split:
        return edges
    columns = [concepts[name].to_pylist() for name in ("concept_id", "head_noun", "modifiers")]
    other = {
        one: any(modifiers_subsume(sense, modifiers) for sense in split[head])
        for one, head, modifiers in zip(*columns, strict=True)
        if head in split
    }
    ends = zip(edges["hyponym_id"].to_pylist(), edges["hypernym_id"].to_pylist(), strict=True)
    return edges.filter(pa.array([other.get(high, True) or not other.get(low) for low, high in ends], pa.bool_()))


def other_senses(head_edges: pa.Table, concepts: Collection[str]) -> dict[str, list[tuple[str, ...]]]:
    """For each head noun the modifiers with which it reaches, by `head_edges`, no root that it reaches bare; only of these concepts."""
    names, up = _names(head_edges), defaultdict[str, list[str]](list)
    for low, high in zip(head_edges["hyponym_id"].to_pylist(), head_edges["hypernym_id"].to_pylist(), strict=True):
        up[low].append(high)

    @cache
    def ends(one: str) -> frozenset[str]:
        bare = concept_id(names[one].head, ())
        above = up.get(one) or ([bare] if bare in up else [])
        return frozenset(end for high in above for end in ends(high)) or frozenset({one})

    found: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for one, (head, modifiers) in names.items():
        bare = concept_id(head, ())
        if modifiers and one in concepts and one in up and bare in names and ends(one).isdisjoint(ends(bare)):
            found[head].append(modifiers)
    return {head: sorted(some) for head, some in found.items()}


def _names(head_edges: pa.Table) -> dict[str, Name]:
    return {
        one: Name(head, tuple(modifiers))
        for end in ("hyponym", "hypernym")
        for one, head, modifiers in zip(
            *(head_edges[f"{end}_{part}"].to_pylist() for part in ("id", "head", "modifiers")), strict=True
        )
    }


def _brought_along(head_edges: pa.Table) -> set[str]:
    categories = head_edges.filter(pc.equal(head_edges["rule"], CATEGORY))
    return {*head_edges["hypernym_id"].to_pylist(), *categories["hyponym_id"].to_pylist()}


def _products_below(
    names: dict[str, Name], concepts: pa.Table, links: pa.Table, head_edges: pa.Table, product_categories: pa.Table
) -> dict[str, int]:
    """How many products each named concept has below it, by mentions or by category."""
    mentioned = _mentioned(names, concepts)
    own = [
        links.select(["product_id", "concept_id"]).join(mentioned, "concept_id", "concept_id", join_type="inner"),
        product_categories.rename_columns({"concept_id": "name_id"}),
    ]
    pairs = pa.concat_tables([table.select(_UNDER.names).cast(_UNDER) for table in own])
    up = pa.concat_tables([head_edges.select(_UP.names).cast(_UP), _within_heads(names)])
    up = up.group_by(_UP.names).aggregate([])
    above = closure(up).select(["hyponym_id", "hypernym_id"])
    higher = pairs.join(above, "name_id", "hyponym_id", join_type="inner").select(["product_id", "hypernym_id"])
    both = pa.concat_tables([pairs, higher.rename_columns(_UNDER.names).cast(_UNDER)])
    distinct = both.group_by(["product_id", "name_id"]).aggregate([])
    counts = distinct.group_by("name_id").aggregate([([], "count_all")])
    return dict(zip(counts["name_id"].to_pylist(), counts["count_all"].to_pylist(), strict=True))


def _mentioned(names: dict[str, Name], concepts: pa.Table) -> pa.Table:
    """(concept_id, name_id): which concepts are one of the named ones, or a modified form of it."""
    by_head: dict[str, list[tuple[str, Name]]] = defaultdict(list)
    for one, name in names.items():
        by_head[name.head].append((one, name))
    columns = [concepts[name].to_pylist() for name in ("concept_id", "head_noun", "modifiers")]
    found = [
        (concept, one)
        for concept, head, modifiers in zip(*columns, strict=True)
        for one, name in by_head.get(head, ())
        if modifiers_subsume(name.modifiers, modifiers)
    ]
    schema = pa.schema([("concept_id", pa.string()), ("name_id", pa.string())])
    return pa.table([[concept for concept, _ in found], [one for _, one in found]], schema=schema)


def _within_heads(names: dict[str, Name]) -> pa.Table:
    """Edges from named concepts with modifiers up to those of the same head with fewer."""
    by_head: dict[str, list[tuple[str, Name]]] = defaultdict(list)
    for one, name in names.items():
        by_head[name.head].append((one, name))

    def pairs() -> Iterator[tuple[str, str]]:
        for members in by_head.values():
            for low, narrow in members:
                for high, broad in members:
                    if low != high and modifiers_subsume(broad.modifiers, narrow.modifiers):
                        yield low, high

    found = list(pairs())
    return pa.table([[low for low, _ in found], [high for _, high in found]], schema=_UP)
