"""concepts -> is_a_edges: the transitively reduced is-a hierarchy, built at once or extended by new concepts."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kgbuild.errors import ConfigError, TableError
from kgbuild.hierarchy.confidence import generalisation_confidence
from kgbuild.hierarchy.covers import DROP, GENERALISE, Covers, find_covers
from kgbuild.hierarchy.numbered import Ints
from kgbuild.hierarchy.units import Broader, NumberedConcepts
from kgbuild.tables import conform

RULES = (DROP, GENERALISE)
"""The rules known here, in the order in which they are tried."""


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
    known, broader = _read(concepts, rules)
    return _table(find_covers(known, broader, rules), known, broader)


def expand_hierarchy(
    edges: pa.Table, concepts: pa.Table, added_ids: Collection[str], *, rules: Collection[str] = RULES
) -> pa.Table:
    """Insert new concepts into a hierarchy: the same table as `build_hierarchy(concepts)`.

    Concepts of different heads do not touch, so only heads with an added or a removed concept are gone through again (all, if these
    heads have most of the concepts); supports and confidences, which depend on all concepts, are counted anew.

    Args:
        edges: `build_hierarchy` of the concepts before, with the same rules and nothing else in it.
        concepts: all concepts now. Those of `edges` that are absent here are taken out and the gap is closed.
        added_ids: the ids in `concepts` that were not there before; others among them do no harm.
        rules: as for `build_hierarchy`.

    Raises:
        ConfigError, TableError: as `build_hierarchy`; also when an added id is not in `concepts`.
    """
    known, broader = _read(concepts, rules)
    if foreign := set(edges["rule"].unique().to_pylist()) - set(RULES):
        raise TableError(f"edges by {min(foreign)} are not of build_hierarchy", "add edges between heads afterwards")
    given = pa.array(sorted(added_ids), pa.string())
    added = _rows(known, given)
    if count := np.count_nonzero(added < 0):
        example = given[int(np.argmin(added))]
        raise TableError(f"{count} added concepts are not in the table of concepts, for example {example}")
    touched = np.zeros(len(known.head_names), bool)
    touched[known.heads[added]] = True
    if np.count_nonzero(touched[known.heads]) > len(known.ids) // 2:
        return _table(find_covers(known, broader, rules), known, broader)  # cheaper than to read the edges of the rest
    ends = pa.chunked_array([*edges["hyponym_id"].chunks, *edges["hypernym_id"].chunks], pa.string())
    low, high = _rows(known, ends).reshape(2, -1)
    here = low >= 0
    old = Covers(low[here], high[here], pc.equal(edges["rule"], DROP).to_numpy()[here])
    touched[known.heads[old.low[old.high < 0]]] = True
    again = np.flatnonzero(touched[known.heads])
    new = find_covers(known.only(again), broader, rules)
    same = old.only(~touched[known.heads[old.low]])
    return _table(Covers.joined([same, Covers(again[new.low], again[new.high], new.dropped)]), known, broader)


def _read(concepts: pa.Table, rules: Collection[str]) -> tuple[NumberedConcepts, Broader]:
    if unknown := [rule for rule in rules if rule not in RULES]:
        raise ConfigError(f"hierarchy.rules cannot hold {unknown[0]!r}", f"it may hold: {', '.join(RULES)}")
    known = NumberedConcepts.of(concepts)
    units = known.unit_names
    return known, Broader.among(units) if GENERALISE in rules else Broader.none(len(units))


def _rows(known: NumberedConcepts, ids: pa.Array | pa.ChunkedArray) -> Ints:
    """The row of each concept, -1 where it is not there."""
    rows: Ints = pc.fill_null(pc.index_in(ids, value_set=known.ids), -1).to_numpy(zero_copy_only=False)
    return rows.astype(np.int64)


def _table(covers: Covers, known: NumberedConcepts, broader: Broader) -> pa.Table:
    """The is_a_edges table of some covers; concepts are numbered in the order of their ids."""
    n = max(len(known.ids), 1)
    keys = np.sort((covers.low * n + covers.high) * 2 + covers.dropped)
    (low, high), dropped = np.divmod(keys // 2, n), keys % 2 > 0
    confidence = np.ones(len(keys))
    confidence[~dropped] = generalisation_confidence(known, low[~dropped], high[~dropped], broader)
    columns = {
        "hyponym_id": known.ids.take(pa.array(low)),
        "hypernym_id": known.ids.take(pa.array(high)),
        "rule": pa.array([GENERALISE, DROP]).take(pa.array(dropped.astype(np.int8))),
        "support": pa.array(known.n_products[low]),
        "confidence": pa.array(confidence.astype(np.float32)),
    }
    return conform(pa.table(columns), "is_a_edges")
